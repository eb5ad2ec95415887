import { BARE, BASELINE } from "./peers.mjs";
import { ratio, typical } from "./stats.mjs";

/** The table of a fan-out: medians of rounds, and ratios within each round. */
export function fanoutRows(samples) {
  return withPublishers(samples).map(([name, own]) => ({
    server: name,
    "CPU µs / delivery": typical(own, "cpuUsPerDelivery"),
    "× bare TCP": ratio(own, samples[BARE], "cpuUsPerDelivery"),
    ...timesBaseline(own, samples, "cpuUsPerDelivery"),
    "deliveries / s": typical(own, "deliveriesPerSecond"),
    "stack µs / report": typical(own, "stackUsPerReport"),
    "peak RSS MiB": Math.max(...own.map((sample) => sample.peakRssMiB)),
  }));
}

/**
 * The samples of each server by name. One that is published to from another process comes twice: by itself, and
 * with what publishing costs there.
 */
export function withPublishers(samples) {
  return Object.entries(samples).flatMap(([name, own]) => {
    if (own[0].publisherUsPerDelivery === undefined) return [[name, own]];
    const together = own.map((sample) => ({
      ...sample,
      cpuUsPerDelivery: sample.cpuUsPerDelivery + sample.publisherUsPerDelivery,
    }));
    return [
      [name, own],
      [`${name}, with its publisher`, together],
    ];
  });
}

/** The column that compares with another build, when one is measured. */
export function timesBaseline(own, samples, metric) {
  return samples[BASELINE] && { "× baseline": ratio(own, samples[BASELINE], metric) };
}
