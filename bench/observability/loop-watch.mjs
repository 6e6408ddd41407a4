// Loaded before a node (--import): on SIGUSR2 it writes how long its event loop was blocked at most since the last time, and
// how much CPU time the node has used since its start.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const NS_PER_MS = 1e6;
const US_PER_MS = 1_000;

const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();

process.on('SIGUSR2', () => {
  const mostMs = delays.count === 0 ? 0 : delays.max / NS_PER_MS - RESOLUTION_MS;
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / US_PER_MS;
  process.stderr.write(`loop-watch ${JSON.stringify({ mostMs, cpuMs })}\n`);
  delays.reset();
});
