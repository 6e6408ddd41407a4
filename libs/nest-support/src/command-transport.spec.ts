import { expect, it } from '@jest/globals';
import { loadConfig } from '#libs/config';
import { commandChannel, nodePattern } from './command-transport.ts';

const patternOf = (keyPrefix: string, clusterName: string): string => {
  const env = { SKEIN_REDIS_KEY_PREFIX: keyPrefix, SKEIN_NODE_CLUSTER_NAME: clusterName };
  return nodePattern(commandChannel(loadConfig({ env })), 'n1');
};

it('clusters with another prefix or another name do not hear each other', () => {
  expect(patternOf('skein', 'shop')).toBe('skein:shop.node.n1');
  expect(patternOf('skeins', 'hop')).toBe('skeins:hop.node.n1');
});
