import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const repository = resolve(import.meta.dirname, "../..");

interface Manifest {
  readonly name: string;
  readonly version: string;
}

interface Package {
  readonly directory: string;
  readonly manifest: Manifest;
}

export interface PackageRegistry {
  /** For `npm_config_registry`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * A registry for npm with all packages that are installed in this repository, and `more`, which are
 * directories of others: `npm install` works as for a reader, but nothing comes from the network.
 */
export async function servePackages(more: readonly string[]): Promise<PackageRegistry> {
  const packages = [...installed(), ...more].flatMap(packageIn);
  const server = createServer((req, res) => {
    answer(packages, req, res).catch((error: unknown) => res.destroy(error as Error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** What npm says it has put here, nested packages last: of each name the first version is `latest`. */
function installed(): string[] {
  const lock = JSON.parse(readFileSync(join(repository, "node_modules/.package-lock.json"), "utf8")) as {
    packages: Record<string, unknown>;
  };
  const depth = (path: string) => path.split("node_modules/").length;
  const paths = Object.keys(lock.packages).sort((one, other) => depth(one) - depth(other));
  return paths.map((path) => join(repository, path));
}

function packageIn(directory: string): Package[] {
  const file = join(directory, "package.json");
  // Optional packages for other systems are listed and not there.
  if (!existsSync(file)) return [];
  return [{ directory, manifest: JSON.parse(readFileSync(file, "utf8")) as Manifest }];
}

async function answer(
  packages: readonly Package[],
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const path = decodeURIComponent(req.url ?? "").slice(1);
  const asked = /^(\d+)\.tgz$/.exec(path);
  if (asked) {
    res.end(await pack(packages[Number(asked[1])]!.directory));
    return;
  }
  const versions: Record<string, object> = {};
  for (const [index, { manifest }] of packages.entries()) {
    if (manifest.name !== path) continue;
    const tarball = `http://${req.headers.host}/${index}.tgz`;
    versions[manifest.version] ??= { ...manifest, dist: { tarball } };
  }
  const [latest] = Object.keys(versions);
  res.writeHead(latest === undefined ? 404 : 200, { "content-type": "application/json" });
  res.end(JSON.stringify({ name: path, "dist-tags": { latest }, versions }));
}

async function pack(directory: string): Promise<Buffer> {
  const { stdout } = await promisify(execFile)(
    "tar",
    ["-czf", "-", "--exclude", "node_modules", "-C", dirname(directory), basename(directory)],
    { encoding: "buffer", maxBuffer: 256 << 20 },
  );
  return stdout;
}
