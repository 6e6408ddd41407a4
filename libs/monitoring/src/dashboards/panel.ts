/** What a panel says to who hovers over its title. */
export interface Advice {
  /** What the figure is. */
  readonly means: string;
  /** What it looks like when all is well. */
  readonly good: string;
  /** What to do when it does not. */
  readonly act: string;
  /** The page of the documents that says more. */
  readonly page: string;
}

/** A query and the name of its series, or of its column in a table. */
export type Query = readonly [expression: string, legend: string, look?: Look];

/** How the values of one column of a table look. */
export interface Look {
  readonly unit?: string;
  readonly bounds?: Bounds;
  readonly states?: States;
  /** The query is there for its labels alone. */
  readonly hidden?: boolean;
}

/** What a value stands for, and its colour. */
export type States = Readonly<Record<string, { readonly text: string; readonly color: string }>>;

/** 1 is as it must be. */
export const UP: States = {
  0: { text: 'down', color: 'red' },
  1: { text: 'up', color: 'green' },
};

/** From which value on a figure is yellow, and from which red. Falling: from which value down. */
export interface Bounds {
  readonly warning: number;
  readonly critical: number;
  readonly falling?: boolean;
}

/**
 * A panel of a dashboard.
 *
 * @remarks In expressions `{~}` stands for the selection of namespace, job and pod, `{~, x="y"}` for it and more.
 */
export type Panel = Advice & {
  readonly title: string;
  /** A unit of Grafana: `short`, `s`, `bytes`, `percentunit`, `count:msg/s`, ... */
  readonly unit: string;
  /** Of 24 columns; panels of 8 that follow each other fill their lines evenly. */
  readonly width: number;
  /** In lines of the grid, where it is not that of its kind. */
  readonly height?: number;
  /** The uid of the dashboard that says more. */
  readonly to?: string;
} & (
    | {
        readonly kind: 'stat';
        readonly query: string;
        readonly bounds?: Bounds;
        /** Asked for now alone: a query over days costs too much at each of hundreds of points. */
        readonly instant?: boolean;
      }
    | {
        readonly kind: 'series';
        readonly queries: readonly Query[];
        readonly stacked?: boolean;
        /** Drawn as dashed lines. */
        readonly bounds?: Bounds;
      }
    | { readonly kind: 'heat'; readonly query: string }
    | { readonly kind: 'timeline'; readonly queries: readonly Query[]; readonly states: States }
    | { readonly kind: 'bars'; readonly queries: readonly Query[]; readonly bounds: Bounds }
    | {
        readonly kind: 'table';
        readonly by: string;
        /** The column by which lines are sorted, where it is not that one. */
        readonly sort?: string;
        readonly queries: readonly Query[];
      }
  );

/** Panels under a heading. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A dashboard. */
export interface Board {
  readonly uid: string;
  readonly title: string;
  /** Who looks at it, and when. */
  readonly description: string;
  /** Which job its pods belong to. */
  readonly job: 'skein-broker' | 'skein-api';
  readonly rows: readonly Row[];
}

/** The advice of a panel, in the order in which it is read. */
export type AdviceText = readonly [means: string, good: string, act: string, page?: string];

const advice = ([means, good, act, page = 'runbooks/README.md']: AdviceText): Advice => ({
  ...{ means, good, act, page },
});

/** A figure of the header: 12 of them fill two lines. */
export function stat(
  [title, unit]: readonly [string, string],
  query: string,
  {
    text,
    ...more
  }: {
    readonly text: AdviceText;
    readonly bounds?: Bounds;
    readonly to?: string;
    readonly instant?: boolean;
  },
): Panel {
  return { ...advice(text), kind: 'stat', title, unit, width: 4, query, ...more };
}

/** Lines over time. */
export function series(
  [title, unit]: readonly [string, string],
  queries: readonly Query[],
  text: AdviceText,
): Panel {
  return { ...advice(text), kind: 'series', title, unit, width: 8, queries };
}

/** Lines over time with lines where they become yellow and red. */
export function bounded(panel: Panel, warning: number, critical: number): Panel {
  const falling = critical < warning;
  return panel.kind === 'series' ? { ...panel, bounds: { warning, critical, falling } } : panel;
}

/** Areas over time, one upon the other: parts of a whole. */
export function areas(
  [title, unit]: readonly [string, string],
  queries: readonly Query[],
  text: AdviceText,
): Panel {
  return { ...advice(text), kind: 'series', title, unit, width: 8, queries, stacked: true };
}

/** The distribution of a histogram over time. */
export function heat(
  [title, unit]: readonly [string, string],
  histogram: string,
  text: AdviceText,
): Panel {
  const query = `sum by (le) (increase(${histogram}[$__rate_interval]))`;
  return { ...advice(text), kind: 'heat', title, unit, width: 8, query };
}

/** The rate of a counter by some of its labels. */
export function rate(counter: string, ...by: readonly string[]): string {
  const labels = by.length === 0 ? '' : ` by (${by.join(', ')})`;
  return `sum${labels} (rate(${counter}[$__rate_interval]))`;
}

/** A quantile of a histogram by some of its labels. */
export function quantile(share: number, histogram: string, ...by: readonly string[]): string {
  const labels = ['le', ...by].join(', ');
  return `histogram_quantile(${String(share)}, sum by (${labels}) (rate(${histogram}[$__rate_interval])))`;
}
