import { backplaneContract } from "../../contracts/backplane.ts";
import { HostileBackplane, HostileStore } from "../../support/hostile-backplane.ts";

backplaneContract("memory", () => ({ connect: () => undefined, shared: false }));

for (const seed of [1, 2, 3, 4, 5]) {
  backplaneContract(`a hostile engine (seed ${seed})`, () => {
    const store = new HostileStore(seed);
    return { connect: () => new HostileBackplane(store), shared: true };
  });
}

backplaneContract("a hostile engine with a second writer", () => {
  const store = new HostileStore(7, { interleaves: true });
  return { connect: () => new HostileBackplane(store), shared: true };
});
