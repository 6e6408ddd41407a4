import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

it('promtool accepts the scrape configuration', () => {
  const file = fileURLToPath(new URL('../deploy/compose/prometheus.yml', import.meta.url));
  const { status, stdout } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });

  expect(stdout).toContain('SUCCESS');
  expect(status).toBe(0);
});
