export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * How many times as much `a` takes as `b`: the median over rounds, each compared with its own neighbour, so
 * that what else the machine does at the time hits both.
 */
export function ratio(a, b, metric) {
  return median(a.map((sample, round) => sample[metric] / b[round][metric]));
}

/** The median over rounds of one metric. */
export function typical(samples, metric) {
  return median(samples.map((sample) => sample[metric]));
}

/** `items` beginning with another one each round. */
export function rotated(items, round) {
  const shift = round % items.length;
  return [...items.slice(shift), ...items.slice(0, shift)];
}

export function round(value, digits = 2) {
  return Number(value.toPrecision(value >= 1000 ? 4 : digits + 1));
}
