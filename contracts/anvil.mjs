// Starts the anvil that npm installed.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { platform } = process;
const machine = process.arch === "arm64" ? "arm64" : "amd64";
const binary = `@foundry-rs/anvil-${platform}-${machine}/bin/anvil${platform === "win32" ? ".exe" : ""}`;

/// Starts an anvil of chain 84532 from a `node_modules`, on a free port; it ends with this process.
/// Returns its URL and its process.
export const startAnvil = async (modules, ...options) => {
  const child = spawn(join(modules, binary), ["--port", "0", "--chain-id", "84532", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.on("error", (error) => {
    console.error(`${error.message}\nhint: npm install @foundry-rs/anvil`);
    process.exit(1);
  });
  process.on("exit", () => child.kill());
  let url;
  for await (const line of createInterface(child.stdout)) {
    const port = line.match(/Listening on 127\.0\.0\.1:(\d+)/)?.[1];
    if (port) {
      url = `http://127.0.0.1:${port}`;
      break;
    }
  }
  if (!url) throw new Error("anvil ended before it listened");
  // Leaving the loop paused the pipe, and anvil writes on.
  child.stdout.resume();
  return { url, child };
};
