import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { drawBoard } from './board.mjs';
import { Source, chosenVariables, named } from './prometheus.mjs';
import { written } from './units.mjs';

const BOARDS = new URL('../../deploy/monitoring/dashboards/', import.meta.url);
const WINDOW = { start: 1_000_000, end: 1_000_600, scrapeSeconds: 5 };

/** A Prometheus that has the same answer to everything, and keeps what it was asked. */
function canned(series) {
  const asked = [];
  const source = new Source('http://127.0.0.1:1', {
    variables: { job: 'skein-broker' },
    ...WINDOW,
  });
  source.range = async (expression) => {
    asked.push(expression);
    return { series, step: 5 };
  };
  source.now = async (expression) => {
    asked.push(expression);
    return series.map(({ labels, points }) => ({ labels, value: points.at(-1)[1] }));
  };
  return { source, asked };
}

const points = [0, 5, 10].map((second) => [WINDOW.start + second, second + 1]);
const SERIES = [
  { labels: { pod: 'node<1>', le: '+Inf', rule: 'r', bridge: 'b', alertname: 'A' }, points },
];

describe('a picture', () => {
  it.each(readdirSync(BOARDS))('of %s has every title and asks every query', async (file) => {
    const board = JSON.parse(readFileSync(new URL(file, BOARDS), 'utf8'));
    const { source, asked } = canned(SERIES);
    const { svg, empty } = await drawBoard(board, source);
    expect(empty).toEqual([]);
    const titles = board.panels.map(({ title }) => title.slice(0, 12).replaceAll('&', '&amp;'));
    expect(titles.filter((title) => !svg.includes(title))).toEqual([]);
    const queries = board.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(queries.filter((query) => !asked.includes(query))).toEqual([]);
    expect(svg).not.toMatch(/NaN|undefined|node<1>/);
  });

  it('says where there is no data', async () => {
    const board = JSON.parse(readFileSync(new URL('skein-nodes.json', BOARDS), 'utf8'));
    const { svg, empty } = await drawBoard(board, canned([]).source);
    expect(svg).toContain('No data');
    expect(empty.map(({ title }) => title)).toContain('CPU');
  });
});

it('a variable is what was chosen, else all that its list may be', async () => {
  const list = [
    { name: 'datasource', type: 'datasource' },
    { name: 'pod', type: 'query', query: 'label_values(up, pod)', allValue: '.+' },
    { name: 'namespace', type: 'query', query: 'label_values(up, namespace)', allValue: '.+' },
  ];
  const given = { url: 'http://127.0.0.1:1', chosen: { pod: 'node2' }, window: WINDOW };
  expect(await chosenVariables(list, given)).toEqual({ pod: 'node2', namespace: '.+' });
});

it('a legend is its format, else the labels', () => {
  expect(named({ pod: 'a', qos: '1' }, '{{pod}} QoS {{ qos }}')).toBe('a QoS 1');
  expect(named({ __name__: 'up', pod: 'a' }, '')).toBe('up{pod="a"}');
});

it.each([
  [0, 'short', '0'],
  [1_626, 'short', '1.63 K'],
  [0.0042, 's', '4.2 ms'],
  [7_200, 's', '2 hours'],
  [0.855, 'percentunit', '85.5%'],
  [1_536, 'bytes', '1.5 KiB'],
  [1_500, 'Bps', '1.5 kB/s'],
  [12_345, 'count:msg/s', '12.3K msg/s'],
  [90, 'suffix: days', '90 days'],
  [Infinity, 's', '+Inf'],
])('%d in %s is %s', (value, unit, text) => {
  expect(written(value, unit)).toBe(text);
});
