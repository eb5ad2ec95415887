import { startPair } from "./pair.mjs";
import { BARE } from "./peers.mjs";

/** What one peer delivers, as fast as it can, before anything counts: until V8 has settled. */
const WARM_UP_DELIVERIES = 60_000;

/** A pair under a steady load; `block` measures `seconds` of it. */
export async function startSteady(
  name,
  { sessions, followers, perSecond, seconds, warmUpDeliveries = WARM_UP_DELIVERIES },
) {
  const pair = await startPair(name);
  const names = Array.from({ length: sessions }, (_, n) => `s${n}`);
  let each = 0;

  /** Delivers `reports` to every follower, spread over `overSeconds`. */
  const bear = async (reports, overSeconds) => {
    const load = { sessions: names, perSecond: reports / overSeconds, seconds: overSeconds };
    each += reports;
    await pair.client.call("confirmEach", { perTurn: sessions * followers * reports });
    const spent = await pair.server.call("steady", load).catch((error) => error);
    await pair.check(each, spent instanceof Error ? spent : undefined);
    return spent;
  };

  const block = async () => {
    const deliveries = sessions * followers * perSecond * seconds;
    await pair.client.call("resetLatencies");
    const { cpuUs, publisherUs } = await bear(perSecond * seconds, seconds);
    const latencies = await pair.client.call("latencies");
    return {
      cpuUsPerDelivery: cpuUs / deliveries,
      ...(publisherUs !== undefined && { publisherUsPerDelivery: publisherUs / deliveries }),
      ...(name === BARE && { loadUsPerDelivery: (await loadAlone()) / deliveries }),
      ...latencies,
    };
  };

  /** What the clockwork of the load takes where nobody follows. */
  const loadAlone = async () => {
    const nobody = names.map((session) => `${session}-unfollowed`);
    const load = { sessions: nobody, perSecond, seconds, awaited: false };
    return (await pair.server.call("steady", load)).cpuUs;
  };

  try {
    await pair.follow(names.flatMap((session) => Array(followers).fill(session)));
    await pair.attached();
    await bear(Math.ceil(warmUpDeliveries / (sessions * followers)), 0.1);
    await block();
  } catch (error) {
    await pair.stop();
    throw error;
  }
  return { server: pair.server, block, stop: () => pair.stop() };
}
