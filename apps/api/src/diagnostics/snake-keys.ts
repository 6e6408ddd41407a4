/** JSON with the names of its fields as the API writes them: `heapUsedBytes` becomes `heap_used_bytes`. */
export function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => snakeKeys(each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [snake(name), snakeKeys(each)]),
  );
}

function snake(name: string): string {
  // What is not written in camel case is the name of something, as a label of a metric.
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) return name;
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
