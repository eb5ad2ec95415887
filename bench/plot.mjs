// Draws docs/growth.svg from results/growth.json: what a delivery costs, relative to bare TCP, as things grow.
import { readFileSync, writeFileSync } from "node:fs";

const { rows } = JSON.parse(readFileSync(new URL("results/growth.json", import.meta.url), "utf8"));
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [720, 360, 48, 150, 24, 40];
const COLOURS = ["#2563eb", "#d97706", "#059669", "#c026d3"];

const axes = groupBy(rows, "what grows");
const highest = Math.ceil(Math.max(...rows.map(({ ratio }) => ratio)) * 2) / 2;
const widest = Math.max(...rows.map(({ to }) => Math.log10(to)));
const x = (size) => LEFT + (Math.log10(size) / widest) * (WIDTH - LEFT - RIGHT);
const y = (ratio) => HEIGHT - BOTTOM - (ratio / highest) * (HEIGHT - TOP - BOTTOM);

const grid = [];
for (let ratio = 0; ratio <= highest; ratio += 0.5) {
  grid.push(
    `<line x1="${LEFT}" y1="${y(ratio)}" x2="${WIDTH - RIGHT}" y2="${y(ratio)}" stroke="#e5e7eb"/>`,
    `<text x="${LEFT - 8}" y="${y(ratio) + 4}" text-anchor="end">${ratio}×</text>`,
  );
}
for (let power = 0; power <= widest; power++) {
  const size = 10 ** power;
  grid.push(
    `<text x="${x(size)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${size.toLocaleString("en")}</text>`,
  );
}

const lines = [...axes].map(([name, points], n) => {
  const colour = COLOURS[n % COLOURS.length];
  const path = points.map(({ to, ratio }) => `${x(to).toFixed(1)},${y(ratio).toFixed(1)}`);
  const dots = path.map((point) => {
    const [cx, cy] = point.split(",");
    return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`;
  });
  const label = `<text x="${WIDTH - RIGHT + 14}" y="${TOP + 16 + n * 20}" fill="${colour}">${name}</text>`;
  return `<polyline points="${path.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join("")}${label}`;
});

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="#374151">
<rect width="100%" height="100%" fill="#fff"/>
<title>Server CPU per delivery, relative to bare TCP of the same shape</title>
${grid.join("\n")}
${lines.join("\n")}
</svg>
`;
writeFileSync(new URL("../docs/growth.svg", import.meta.url), svg);

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) groups.set(item[key], [...(groups.get(item[key]) ?? []), item]);
  return groups;
}
