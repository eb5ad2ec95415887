import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, posix } from "node:path";
import { reportProgress } from "session-progress";

export interface SourceTree {
  readonly root: string;
  /** Relative to the root, with `/` between the parts, sorted. */
  readonly files: readonly string[];
  /** By their name binary or generated, or too large to be written by hand. */
  readonly skipped: number;
  /** Directories and files that could not be looked at. */
  readonly unreadable: number;
}

export type Reading = { readonly text: string } | { readonly problem: "binary" | "unreadable" };

const MAX_BYTES = 512 * 1024;
const SKIPPED_DIRECTORIES = new Set(
  "node_modules .git .hg .svn dist build out target coverage vendor .venv venv __pycache__ .cache .next .nuxt .turbo .idea .gradle .tox".split(
    " ",
  ),
);
const GENERATED =
  /^(package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|.*\.lock|.*\.min\.(js|css)|.*\.map)$/;
const BINARY_EXTENSIONS = new Set(
  "png jpg jpeg gif webp avif ico bmp tiff psd pdf zip gz tgz bz2 xz zst 7z rar jar war class o a so dll dylib exe bin wasm pyc node woff woff2 ttf otf eot mp3 mp4 ogg wav webm mov avi flac sqlite db dat parquet pack idx".split(
    " ",
  ),
);

/** Every file below `root` that may be text. Follows no symbolic links, so it comes to an end. */
export async function readTree(root: string): Promise<SourceTree> {
  const tree = { root, files: [] as string[], skipped: 0, unreadable: 0 };
  await addDirectory(tree, "");
  tree.files.sort();
  return tree;
}

type GrowingTree = SourceTree & { files: string[]; skipped: number; unreadable: number };

async function addDirectory(tree: GrowingTree, directory: string): Promise<void> {
  try {
    for (const entry of await readdir(join(tree.root, directory), { withFileTypes: true })) {
      const path = posix.join(directory, entry.name);
      if (entry.isFile()) await addFile(tree, path);
      else if (entry.isDirectory() && !SKIPPED_DIRECTORIES.has(entry.name)) await addDirectory(tree, path);
    }
  } catch {
    tree.unreadable += 1;
  }
}

async function addFile(tree: GrowingTree, path: string): Promise<void> {
  const notSource =
    BINARY_EXTENSIONS.has(extname(path).slice(1).toLowerCase()) || GENERATED.test(posix.basename(path));
  if (notSource || (await sizeOf(join(tree.root, path))) > MAX_BYTES) {
    tree.skipped += 1;
    return;
  }
  tree.files.push(path);
  // Nobody told this function who is looking, or for whom.
  if (tree.files.length % 1_000 === 0)
    reportProgress({ message: `${tree.files.length.toLocaleString("en")} files so far` });
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0; // It is gone or closed to us: reading it will tell.
  }
}

export async function readText(tree: SourceTree, path: string): Promise<Reading> {
  try {
    const text = await readFile(join(tree.root, path), "utf8");
    return text.includes("\0") ? { problem: "binary" } : { text };
  } catch {
    return { problem: "unreadable" };
  }
}
