import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { SharedPublish } from '#libs/mqtt-engine';
import { filterFault, matches, parseShare, topicNameFault } from '#libs/topic-index';
import { ClientNames } from './client-names.ts';
import { identityOf } from './name-template.ts';
import { TopicRewriter } from './topic-rewriter.ts';

const MOUNTPOINT = 'm/';
const NOBODY = identityOf('c', undefined, '');

/** Few words, so that names, filters and the mountpoint meet often. */
const word = fc.constantFrom('', 'a', 'b', 'm', '$a', '$SYS', '$share', '$delayed', '5', '😀');
const path = (level: fc.Arbitrary<string>) =>
  fc.array(level, { minLength: 1, maxLength: 6 }).map((levels) => levels.join('/'));
const name = path(word);
const filter = path(fc.oneof(word, fc.constantFrom('+', '#')));
const destination = path(
  fc.oneof(word, fc.constantFrom('$1', '$2', '${clientId}', '${username}', '+', 'x$1')),
);
const rule = fc
  .record({ filter, destination, action: fc.constantFrom('publish', 'subscribe', 'all') })
  .filter(({ filter: pattern }) => filterFault(pattern, Infinity) === undefined)
  .filter(({ filter: pattern }) => pattern.split('/').filter((l) => /^[+#]$/u.test(l)).length >= 2);

const mounted = new ClientNames({ rewriter: undefined, mountpoint: MOUNTPOINT, identity: NOBODY });

function isBelow(topic: string): boolean {
  return topic.startsWith(MOUNTPOINT) || topic.startsWith('$SYS/') || topic === '$SYS';
}

function isRefused(topic: string): boolean {
  return topicNameFault(topic, Infinity) !== undefined;
}

describe('the names of a client below a mountpoint', () => {
  it('never leave it: no topic that it publishes, and no topic that its filters match', () => {
    fc.assert(
      fc.property(name, filter, name, (topic, wanted, other) => {
        const published = mounted.topic(topic).replace(/^\$delayed\/[^/]*\//u, '');
        if (!isRefused(published) && !isBelow(published)) return false;
        const made = mounted.filter(wanted).replace(/^\$exclusive\//u, '');
        const matched = parseShare(made)?.filter ?? made;
        if (filterFault(matched, Infinity) !== undefined || isRefused(other)) return true;
        // The filter m/# also finds m, which delivery keeps from the client.
        return isBelow(other) || other === 'm' || !matches(matched, other);
      }),
      { numRuns: 2000 },
    );
  });

  it('come back as they were', () => {
    fc.assert(
      fc.property(name, (topic) => {
        const published = mounted.topic(topic);
        if (isRefused(published) || published.startsWith('$delayed/')) return true;
        const message = { payload: Buffer.of(), receivedAtMs: 0, expiresAtMs: 0 };
        const shared = new SharedPublish({ ...message, topic: published }, false);
        return published === '$SYS' || shared.below(MOUNTPOINT)?.message.topic === topic;
      }),
      { numRuns: 2000 },
    );
  });
});

describe('rewritten names', () => {
  it('are made of any name by any rules, and are valid or refused', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), filter, (rules, given) => {
        const rewriter = new TopicRewriter(rules as ConstructorParameters<typeof TopicRewriter>[0]);
        const names = new ClientNames({ rewriter, mountpoint: '', identity: NOBODY });
        const isValid = filterFault(given, Infinity) === undefined;
        // What was not valid stays as it was, so that no rule makes it valid.
        if (!isValid) return names.filter(given) === given && names.topic(given) === given;
        return typeof names.filter(given) === 'string' && typeof names.topic(given) === 'string';
      }),
      { numRuns: 2000 },
    );
  });

  it('are those of the first rule whose filter matches, for topics', () => {
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 6 }), name, (filters, topic) => {
        const valid = filters.filter((pattern) => filterFault(pattern, Infinity) === undefined);
        if (isRefused(topic)) return true;
        const rewriter = new TopicRewriter(
          valid.map((pattern, index) => ({
            action: 'publish',
            filter: pattern,
            destination: `rule-${String(index)}`,
          })),
        );
        const first = valid.findIndex((pattern) => matches(pattern, topic));
        const expected = first === -1 ? topic : `rule-${String(first)}`;
        return rewriter.rewrite('publish', topic, NOBODY) === expected;
      }),
      { numRuns: 2000 },
    );
  });
});
