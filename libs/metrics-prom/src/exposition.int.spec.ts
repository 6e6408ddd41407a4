import { spawnSync } from 'node:child_process';
import { expect, it } from '@jest/globals';
import { ApiMeter, PromMeter } from './index.ts';

/** Runs Prometheus' own linter over a page; it comes with Debian's package `prometheus`. */
function lint(page: string): { readonly status: number | null; readonly output: string } {
  const { error, status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: page,
    encoding: 'utf8',
  });
  if (error !== undefined)
    throw new Error('promtool is missing: install prometheus', { cause: error });
  return { status, output: stdout + stderr };
}

it('says nothing about the metrics of a node', async () => {
  const meter = new PromMeter({
    version: '0.0.0',
    cluster: 'skein',
    nodeId: 'n1',
    listeners: [{ name: 'tcp', connectionsMax: 1 }],
  });
  meter.bridgeConnected('kafka', true);
  meter.bridgeRuleMatched('rule');
  meter.delivered(1, 'local', 0.01);

  expect(lint((await meter.expose()).body)).toEqual({ status: 0, output: '' });
});

it('says nothing about the metrics of the API', async () => {
  const meter = new ApiMeter();
  meter.requestStarted();
  meter.requestFinished({ route: '/api/v1/nodes', method: 'GET', code: 200, seconds: 0.02 });

  expect(lint((await meter.expose()).body)).toEqual({ status: 0, output: '' });
});
