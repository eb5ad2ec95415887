import { startPair } from "./pair.mjs";
import { PEERS } from "./peers.mjs";
import { rotated } from "./stats.mjs";

/** A block that takes longer has lost something. */
const BLOCK_MS = 60_000;

/**
 * Measures peers side by side: `sessions` × `followers` each, `events` reports to every session a turn.
 *
 * All pairs run at once, idle but for one; a round is one block of `turns` for each, in turn. After
 * `rounds / restarts` rounds everything starts anew, because one process may have been lucky.
 *
 * @returns Samples by peer: server CPU per delivery and what else was measured in each round.
 */
export async function fanout(settings) {
  const [samples] = await fanouts([settings], settings);
  return samples;
}

/**
 * As `fanout`, for several shapes: a round is one block of each, so that what else the machine does hits all.
 *
 * `start(name, shape)` makes a warmed-up pair whose `block` measures.
 */
export async function fanouts(shapes, settings) {
  const { peers, rounds, restarts = Math.min(3, rounds), onRound, start = startFollowed } = settings;
  const samples = shapes.map(() => Object.fromEntries(peers.map((name) => [name, []])));
  for (let restart = 0; restart < restarts; restart++) {
    const last = Math.round((rounds * (restart + 1)) / restarts);
    const first = Math.round((rounds * restart) / restarts);
    const pairs = shapes.map(() => new Map());
    try {
      for (const [n, shape] of shapes.entries()) {
        await Promise.all(peers.map(async (name) => pairs[n].set(name, await start(name, shape))));
      }
      for (let round = first; round < last; round++) {
        for (const [n, own] of pairs.entries()) {
          for (const name of rotated(peers, round)) samples[n][name].push(await own.get(name).block());
        }
        onRound?.(round + 1, rounds);
      }
    } finally {
      await Promise.all(pairs.flatMap((own) => [...own.values()].map((pair) => pair.stop())));
    }
  }
  return samples;
}

/** A warmed-up pair; `block` measures. */
export async function startFollowed(name, settings) {
  const { sessions, followers, events, turns, idleSessions = 0, history = 0, options, warmUp = 5 } = settings;
  const pair = await startPair(name, { options });
  const names = Array.from({ length: sessions }, (_, n) => `s${n}`);
  const perTurn = sessions * followers * events;
  let each = 0;

  const block = async (blockTurns = turns) => {
    await pair.client.call("confirmEach", { perTurn });
    each += blockTurns * events;
    const work = { sessions: names, events, turns: blockTurns };
    const spent = await pair.server.call("block", work, BLOCK_MS).catch((error) => error);
    await pair.check(each, spent instanceof Error ? spent : undefined);
    const deliveries = blockTurns * perTurn;
    return {
      cpuUsPerDelivery: spent.cpuUs / deliveries,
      ...(spent.publisherUs !== undefined && { publisherUsPerDelivery: spent.publisherUs / deliveries }),
      deliveriesPerSecond: (deliveries * 1000) / spent.wallMs,
      stackUsPerReport: spent.stackUsPerReport,
      peakRssMiB: spent.peakRssBytes / 2 ** 20,
    };
  };

  try {
    if (history > 0) await pair.server.call("fill", { sessions, events: history });
    if (idleSessions > 0) await pair.server.call("fill", { sessions: idleSessions, events: 1 });
    const all = names.flatMap((session) => Array(followers).fill(session));
    // Who comes to a filled log has seen it, so that what is measured is live delivery alone.
    const seen = history + (idleSessions > 0 ? 1 : 0);
    const lastEventIds = seen > 0 && PEERS[name].resumes ? await idsAt(pair, all, seen) : undefined;
    await pair.follow(all, { lastEventIds });
    await pair.attached();
    for (let n = 0; n < warmUp; n++) await block();
  } catch (error) {
    await pair.stop();
    throw error;
  }
  return { server: pair.server, block, stop: () => pair.stop() };
}

/** For each of `sessions` the id of what a follower has seen. */
function idsAt(pair, sessions, position) {
  return Promise.all(sessions.map((session) => pair.server.call("idAt", { session, position })));
}
