import { describe, expect, it } from '@jest/globals';
import { publishPacket, subscriptionRequest } from '#libs/testkit';
import { ClientNames } from './client-names.ts';
import { identityOf } from './name-template.ts';
import { TopicRewriter, type RewriteRule } from './topic-rewriter.ts';

const identity = identityOf('c1', undefined, '192.0.2.1');

function named(mountpoint: string, ...rules: readonly (readonly [string, string])[]): ClientNames {
  const asRules = rules.map(([filter, destination]): RewriteRule => {
    return { action: 'all', filter, destination };
  });
  const rewriter = rules.length > 0 ? new TopicRewriter(asRules) : undefined;
  return new ClientNames({ rewriter, mountpoint, identity });
}

describe('names below a mountpoint', () => {
  const names = named('m/1/');

  it('are the names with the mountpoint before them', () => {
    expect(['a', 'a/b', '/', ' '].map((topic) => names.topic(topic))).toEqual([
      ...['m/1/a', 'm/1/a/b', 'm/1//', 'm/1/ '],
    ]);
    expect(['#', '+/b', '+', 'a/#'].map((filter) => names.filter(filter))).toEqual([
      ...['m/1/#', 'm/1/+/b', 'm/1/+', 'm/1/a/#'],
    ]);
  });

  it('keep in front what says how they are meant', () => {
    expect(names.topic('$delayed/5/a/b')).toBe('$delayed/5/m/1/a/b');
    expect(names.filter('$share/g/a/#')).toBe('$share/g/m/1/a/#');
    expect(names.filter('$exclusive/a')).toBe('$exclusive/m/1/a');
  });

  it('leave $SYS as it is', () => {
    const given = ['$SYS', '$SYS/broker/uptime', '$SYS/#', '$share/g/$SYS/#', '$SYS/+/version'];
    expect(given.map((filter) => names.filter(filter))).toEqual(given);
    expect(names.topic('$SYS/broker/uptime')).toBe('$SYS/broker/uptime');
  });

  it('cannot be topics that begin with $, which wildcards would find there [MQTT-4.7.2-1]', () => {
    expect(['$a/b', '$', '$delayed/5', '$delayed/5/$a'].map((topic) => names.topic(topic))).toEqual(
      [...['', '', '', '']],
    );
    expect(names.filter('$a/#')).toBe('m/1/$a/#');
  });

  it('stay as they are when they are not valid, for the checks to refuse', () => {
    const topics = ['', 'a/+', '#', 'a\0'];
    expect(topics.map((topic) => names.topic(topic))).toEqual(topics);
    const filters = ['', 'a/#/b', 'a+', '$share/g', '$share//a', '$share/+/a'];
    expect(filters.map((filter) => names.filter(filter))).toEqual(filters);
  });

  it('are none when they would be longer than a name may be', () => {
    expect(names.topic('é'.repeat(32_765))).toHaveLength(32_769);
    expect(names.topic('é'.repeat(32_766))).toBe('');
    expect(names.topic('a'.repeat(65_531))).toHaveLength(65_535);
    expect(names.topic('a'.repeat(65_532))).toBe('');
    expect(names.filter('a'.repeat(65_532))).toBe('');
  });

  it('include the response topic, and nothing else of a message', () => {
    const properties = { responseTopic: 'r', contentType: 'text' };
    const packet = publishPacket('a', 'x', { properties, qos: 1, packetId: 7 });
    expect(names.publish(packet)).toEqual({
      ...packet,
      topic: 'm/1/a',
      properties: { responseTopic: 'm/1/r', contentType: 'text' },
    });
    const will = { topic: 'w', payload: packet.payload, qos: 1, retain: true } as const;
    expect(names.will({ ...will, properties: { ...properties, willDelayInterval: 3 } })).toEqual({
      ...will,
      topic: 'm/1/w',
      properties: { responseTopic: 'm/1/r', contentType: 'text', willDelayInterval: 3 },
    });
  });

  it('are none for a message whose response topic has none', () => {
    const answeredAt = (responseTopic: string): string =>
      names.publish(publishPacket('a', 'x', { properties: { responseTopic } })).topic;
    const given = ['$r', 'r'.repeat(65_532), 'r'.repeat(65_531)];
    expect(given.map(answeredAt)).toEqual(['', '', 'm/1/a']);
  });

  it('are those of every filter of a packet', () => {
    const subscriptions = ['a', '$share/g/b', ''].map((filter) => subscriptionRequest(filter));
    const subscribe = { kind: 'subscribe', packetId: 3, subscriptions } as const;
    const renamed = names.subscribe(subscribe).subscriptions.map(({ filter }) => filter);
    expect(renamed).toEqual(['m/1/a', '$share/g/m/1/b', '']);
    const filters = ['a', 'b/#'];
    expect(names.unsubscribe({ kind: 'unsubscribe', packetId: 4, filters })).toEqual({
      kind: 'unsubscribe',
      packetId: 4,
      filters: ['m/1/a', 'm/1/b/#'],
    });
  });
});

describe('names with rules', () => {
  it('are rewritten as the client writes them, and then mounted', () => {
    const names = named('m/', ['old/#', 'new/$1']);
    expect(names.topic('old/a')).toBe('m/new/a');
    expect(names.filter('$share/g/old/+')).toBe('$share/g/m/new/+');
    expect(names.topic('$delayed/5/old/a')).toBe('$delayed/5/m/new/a');
    expect(names.topic('m/old/a')).toBe('m/m/old/a');
  });

  it('may be told by a rule how they are meant, but not twice', () => {
    const names = named('m/', ['later/#', '$delayed/60/$1'], ['jobs/#', '$share/workers/jobs/$1']);
    expect(names.topic('later/a')).toBe('$delayed/60/m/a');
    expect(names.filter('jobs/#')).toBe('$share/workers/m/jobs/#');
    expect(names.topic('$delayed/5/later/a')).toBe('');
    expect(names.filter('$exclusive/jobs/a')).toBe('');
  });

  it('never make a name of $SYS another, nor another a name below $SYS that a client may use', () => {
    const names = named('', ['$SYS/#', 'mine/$1'], ['mine/#', '$SYS/$1']);
    expect(names.topic('$SYS/broker/uptime')).toBe('$SYS/broker/uptime');
    expect(names.topic('mine/broker/uptime')).toBe('$SYS/broker/uptime');
  });

  it('leave a message of another name untouched', () => {
    const packet = publishPacket('a', 'x', { properties: { responseTopic: 'old/r' } });
    expect(named('', ['old/#', 'new/$1']).publish(packet)).toBe(packet);
  });

  it('are none when a rule cannot make one', () => {
    const names = new ClientNames({
      rewriter: new TopicRewriter([{ action: 'all', filter: 'a', destination: '${username}/a' }]),
      mountpoint: '',
      identity,
    });
    expect([names.topic('a'), names.filter('a'), names.filter('a/b')]).toEqual(['', '', 'a/b']);
  });

  it('may become invalid, for the checks to refuse', () => {
    const names = named('', ['a/#', 'b/$1/c']);
    expect(names.filter('a/#')).toBe('b/#/c');
    expect(named('', ['a/#', '$1']).topic('a')).toBe('');
  });
});
