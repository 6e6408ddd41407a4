import { expect, it } from '@jest/globals';
import { ApiMeter } from './index.ts';

const page = async (meter: ApiMeter): Promise<string> => (await meter.expose()).body;

it('counts requests by route template, method and code', async () => {
  const meter = new ApiMeter();
  meter.requestStarted();
  meter.requestStarted();
  meter.requestFinished({ route: '/api/v1/nodes', method: 'GET', code: 200, seconds: 0.02 });
  const text = await page(meter);
  const labels = 'route="/api/v1/nodes",method="GET"';

  expect(text).toContain(`skein_api_http_requests_total{${labels},code="200"} 1`);
  expect(text).toContain(`skein_api_http_requests_total{${labels},code="500"} 0`);
  expect(text).toContain(`skein_api_http_request_duration_seconds_bucket{le="0.025",${labels}} 1`);
  expect(text).toContain('skein_api_http_requests_in_flight 1');
});

it('bounds its series whatever callers ask for', async () => {
  const meter = new ApiMeter();
  for (let index = 0; index < 500; index += 1) {
    const request = { route: `/r${index}`, method: `M${index}`, code: index, seconds: 0 };
    meter.requestStarted();
    meter.requestFinished(request);
  }
  const text = await page(meter);

  expect(text).toContain('skein_api_http_requests_total{route="other",method="other"');
  expect(text).not.toContain('method="M');
  expect(text.match(/^skein_api_http_request_duration_seconds_count/gm)).toHaveLength(201);
});

it('counts node calls and authentications from 0', async () => {
  const meter = new ApiMeter();
  meter.nodeCalled('timeout', 2);
  meter.authenticated('api_key', 'denied');
  meter.authenticated('jwt', 'expired');
  meter.rateLimited('publishes');
  const text = await page(meter);

  expect(text).toContain('skein_api_node_calls_total{outcome="timeout"} 1');
  expect(text).toContain('skein_api_node_calls_total{outcome="error"} 0');
  expect(text).toContain('skein_api_authentications_total{kind="api_key",outcome="denied"} 1');
  expect(text).toContain('skein_api_authentications_total{kind="jwt",outcome="expired"} 1');
  expect(text).toContain('skein_api_authentications_total{kind="jwt",outcome="allowed"} 0');
  expect(text).toContain('skein_api_rate_limited_total{policy="publishes"} 1');
  expect(text).toContain('skein_api_rate_limited_total{policy="requests"} 0');
  expect(text).toContain('skein_api_node_call_duration_seconds_count 1');
});

it('shows long operations by state, from 0', async () => {
  const meter = new ApiMeter();
  expect(await page(meter)).toContain('skein_api_operations{state="failed"} 0');
  meter.operations(['running', 'failed', 'failed']);
  expect(await page(meter)).toContain('skein_api_operations{state="failed"} 2');
  meter.operations(['running']);
  const text = await page(meter);
  expect(text).toContain('skein_api_operations{state="running"} 1');
  expect(text).toContain('skein_api_operations{state="failed"} 0');
});
