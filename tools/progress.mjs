// Lines that tell what a long step does and how long it has taken.
const seconds = (since) => `${((performance.now() - since) / 1_000).toFixed(1)} s`;

/** Runs a step: says when it begins, every ten seconds that it goes on, and when it is done. */
export async function step(title, work) {
  const since = performance.now();
  console.log(`${title} ...`);
  const timer = setInterval(() => console.log(`${title}: ${seconds(since)}`), 10_000);
  try {
    const result = await work();
    console.log(`${title}: done in ${seconds(since)}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
