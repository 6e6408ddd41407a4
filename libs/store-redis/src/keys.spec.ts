import { describe, expect, it } from '@jest/globals';
import {
  delayedKeys,
  nodeText,
  parseNode,
  retainedKeys,
  definitionKeys,
  sessionKeys,
} from './keys.ts';

/** What Redis Cluster hashes of a key: what stands between the first `{` and the first `}` after it. */
function hashTag(key: string): string | undefined {
  return /\{(.+?)\}/su.exec(key)?.[1];
}

const hostileIds = [
  'a',
  '}',
  '}}',
  '{',
  '{a}',
  '{}',
  '%7D',
  '%',
  'a:queue',
  '\n',
  '}:queue',
  'é😀',
];

describe('keys', () => {
  it.each(hostileIds)('of a session share one hash tag: %j', (clientId) => {
    const tags = sessionKeys('skein', clientId).map(hashTag);
    expect(new Set(tags).size).toBe(1);
    expect(tags[0]).toBeTruthy();
  });

  it('of different sessions never meet', () => {
    const keys = hostileIds.flatMap((clientId) => sessionKeys('skein', clientId));
    expect(new Set(keys).size).toBe(hostileIds.length * 7);
  });

  it('that one command changes together share one hash tag', () => {
    const rulesOf = (prefix: string) => definitionKeys(prefix, 'rules');
    const connectorsOf = (prefix: string) => definitionKeys(prefix, 'connectors');
    for (const keysOf of [retainedKeys, delayedKeys, rulesOf, connectorsOf]) {
      expect(new Set(Object.values(keysOf('skein')).map(hashTag)).size).toBe(1);
      expect(keysOf('skein')).not.toEqual(keysOf('other'));
    }
  });

  it('name an incarnation of a node whatever its id', () => {
    for (const nodeId of ['node-1', 'a#b', '#']) {
      const node = { nodeId, incarnation: 1_700_000_000_000 };
      expect(parseNode(nodeText(node))).toEqual(node);
    }
  });
});
