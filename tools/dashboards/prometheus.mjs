// What a dashboard asks of Prometheus, with its variables filled in as Grafana does.

const DEADLINE_MS = 30_000;
const SCRAPES_IN_A_RATE = 4;

/** The data of one dashboard over one stretch of time. */
export class Source {
  #url;
  #variables;
  #window;

  constructor(url, { variables, start, end, scrapeSeconds }) {
    this.#url = url;
    this.#variables = variables;
    this.#window = { start, end, scrapeSeconds };
  }

  /** From when to when it is drawn, in seconds since 1970. */
  get window() {
    return this.#window;
  }

  /** @returns the values of a variable's query, `label_values(SELECTOR, LABEL)`. */
  async valuesOf(query) {
    const parts = /^label_values\((.+), *(\w+)\)$/.exec(this.#filled(query, 0));
    if (parts === null) throw new Error(`a query of a variable that is not understood: ${query}`);
    const [, selector, name] = parts;
    const { start, end } = this.#window;
    return this.#get(`label/${name}/values`, { 'match[]': selector, start, end });
  }

  /** @returns the series of a query over the window, as `{labels, points: [[second, value]]}`; `points` says how many at most. */
  async range(expression, points) {
    const { start, end, scrapeSeconds } = this.#window;
    const step = Math.max(Math.ceil((end - start) / points), scrapeSeconds);
    const query = this.#filled(expression, step);
    const { result } = await this.#get('query_range', { query, start, end, step });
    const series = result.map(({ metric, values }) => ({
      labels: metric,
      points: values.map(([second, value]) => [second, Number(value)]),
    }));
    return { series, step };
  }

  /** @returns the values of a query at the end of the window, as `{labels, value}`. */
  async now(expression) {
    const { start, end, scrapeSeconds } = this.#window;
    const step = Math.max((end - start) / 1_000, scrapeSeconds);
    const query = this.#filled(expression, step);
    const { result } = await this.#get('query', { query, time: end });
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** @returns the series of a target, in one point where the panel asks for now alone. */
  async seriesOf({ expr, instant }, points) {
    if (instant !== true) return (await this.range(expr, points)).series;
    const samples = await this.now(expr);
    return samples.map(({ labels, value }) => ({ labels, points: [[this.#window.end, value]] }));
  }

  #filled(expression, step) {
    const { scrapeSeconds } = this.#window;
    const interval = Math.max(step + scrapeSeconds, SCRAPES_IN_A_RATE * scrapeSeconds);
    const known = { ...this.#variables, __rate_interval: `${Math.ceil(interval)}s` };
    return expression.replaceAll(/\$(\w+)/g, (whole, name) => known[name] ?? whole);
  }

  async #get(path, parameters) {
    const url = `${this.#url}/api/v1/${path}?${new URLSearchParams(parameters)}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
    const { status, data, error } = await response.json();
    if (status !== 'success') throw new Error(`${parameters.query ?? path}: ${error}`);
    return data;
  }
}

/** @returns what stands for each variable of a dashboard: what was chosen, else all that there is. */
export async function chosenVariables(list, { url, chosen, window }) {
  const variables = {};
  for (const { name, type, query, allValue } of list.filter(({ type: kind }) => kind === 'query')) {
    const source = new Source(url, { variables, ...window });
    const all = async () => allValue ?? (await source.valuesOf(query)).join('|');
    variables[name] = chosen[name] ?? (await all());
    if (type === undefined) throw new Error(`${name}: has no type`);
  }
  return variables;
}

/** @returns the name of a series by the format of its legend. */
export function named(labels, format) {
  if (format) return format.replaceAll(/\{\{ *(\w+) *\}\}/g, (_, name) => labels[name] ?? '');
  const { __name__: name = '', ...others } = labels;
  const list = Object.entries(others).map(([key, value]) => `${key}="${value}"`);
  return list.length === 0 ? name : `${name}{${list.join(', ')}}`;
}
