import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const PROGRAMS = process.env.NGINX_PATH ? [process.env.NGINX_PATH] : ["nginx", "/usr/sbin/nginx"];
const MODULE = "ngx_nchan_module.so";

/** Where nginx and its nchan module are, if both are installed and Linux can say what another process uses. */
export function findNchan() {
  if (!existsSync("/proc/self/schedstat")) return undefined;
  for (const program of PROGRAMS) {
    let built;
    try {
      built = execFileSync("sh", ["-c", '"$0" -V 2>&1', program], { encoding: "utf8" });
    } catch {
      continue;
    }
    const folder = /--modules-path=(\S+)/.exec(built)?.[1];
    if (folder !== undefined && existsSync(join(folder, MODULE)))
      return { program, module: join(folder, MODULE) };
  }
  return undefined;
}

/** Starts one nginx worker with `locations` on a free port; it goes when this process does. */
export async function startNginx({ program, module }, locations) {
  const folder = mkdtempSync(join(tmpdir(), "bench-nginx-"));
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
    .join(" ");
  // The worker may read the folder only as whoever runs this; without root nginx takes no other user anyway.
  const user = process.getuid() === 0 ? `user ${userInfo().username};` : "";
  writeFileSync(
    join(folder, "nginx.conf"),
    `load_module ${module}; ${user}
     daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid ${join(folder, "pid")}; error_log stderr emerg;
     events { worker_connections 16384; }
     http {
       access_log off; ${temporary}
       client_body_buffer_size 64k; keepalive_timeout 1h; keepalive_requests 1000000000; tcp_nodelay on;
       server { listen 127.0.0.1:${port} backlog=4096; ${locations} }
     }`,
  );
  const master = spawn(program, ["-p", folder, "-c", join(folder, "nginx.conf")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  process.on("exit", () => {
    master.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return { port, worker: await workerOf(master) };
}

/** What another process of one thread has used so far: CPU time, and the most memory it ever took. */
export function usageOf(pid) {
  // Not `stat`: its ticks of 10 ms are a twentieth of what one block takes.
  const [cpuNs] = readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return {
    cpuUs: Number(cpuNs) / 1000,
    peakRssBytes: Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]) * 1024,
  };
}

/** The worker's id. The master listens before it has one, so whoever connects from now on is served. */
async function workerOf(master) {
  for (;;) {
    if (master.exitCode !== null) throw new Error(`nginx exited with ${master.exitCode}`);
    const worker = Number.parseInt(readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, "latin1"));
    if (worker > 0) return worker;
    await setTimeout(5);
  }
}

/** A port below those that the kernel hands out, where servers that start at the same time would get it too. */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const probe = createServer().listen(port, "127.0.0.1");
    const free = await once(probe, "listening").then(
      () => true,
      () => false,
    );
    if (!free) continue;
    probe.close();
    await once(probe, "close");
    return port;
  }
}
