import { describe, expect, it } from '@jest/globals';
import { identityOf } from './name-template.ts';
import { TopicRewriter, type RewriteRule } from './topic-rewriter.ts';

const CLIENT = identityOf('c1', 'ann', '192.0.2.1');

function rule(filter: string, destination: string, action: RewriteRule['action'] = 'all') {
  return { action, filter, destination };
}

function rewrites(rules: readonly RewriteRule[], kind: 'publish' | 'subscribe' = 'publish') {
  const rewriter = new TopicRewriter(rules);
  return (name: string) => rewriter.rewrite(kind, name, CLIENT);
}

describe('a rewrite rule', () => {
  it('puts what its wildcards stand for into the new name', () => {
    const rewrite = rewrites([rule('y/+/z/#', 'y/z/$2/of/$1')]);
    expect(rewrite('y/a/z/b')).toBe('y/z/b/of/a');
    expect(rewrite('y/a/z/b/c//d')).toBe('y/z/b/c//d/of/a');
    expect(rewrite('y//z/')).toBe('y/z//of/');
  });

  it('knows the client', () => {
    const rewrite = rewrites([rule('me/#', '${clientId}/${clientid}/${username}/${host}/$1')]);
    expect(rewrite('me/x')).toBe('c1/c1/ann/192.0.2.1/x');
  });

  it('leaves out the slash before a # that stands for no level', () => {
    expect(rewrites([rule('a/#', 'b/$1')])('a')).toBe('b');
    expect(rewrites([rule('a/#', '$1/b')])('a')).toBe('/b');
  });

  it('leaves other names as they are', () => {
    const rewrite = rewrites([rule('a/+', 'b/$1'), rule('exact', 'other')]);
    expect(['a', 'a/b/c', 'b/a', 'exact/x', '$a/b'].map(rewrite)).toEqual([
      ...['a', 'a/b/c', 'b/a', 'exact/x', '$a/b'],
    ]);
    expect(rewrite('exact')).toBe('other');
  });

  it('counts alone when it is the first that fits', () => {
    const rewrite = rewrites([
      rule('a/b/#', 'first/$1'),
      rule('a/#', 'second/$1'),
      rule('first/#', 'third/$1'),
      rule('a/b/c', 'fourth'),
    ]);
    expect(['a/b/c', 'a/x'].map(rewrite)).toEqual(['first/c', 'second/x']);
  });

  it('is for its action', () => {
    const rules = [
      rule('a', 'published', 'publish'),
      rule('a', 'subscribed', 'subscribe'),
      rule('b', 'both'),
    ];
    expect(['a', 'b'].map(rewrites(rules, 'publish'))).toEqual(['published', 'both']);
    expect(['a', 'b'].map(rewrites(rules, 'subscribe'))).toEqual(['subscribed', 'both']);
  });

  it('makes a filter of a filter that does not reach beyond it', () => {
    const rewrite = rewrites([rule('y/+/z/#', 'y/z/$1/$2')], 'subscribe');
    expect(rewrite('y/+/z/#')).toBe('y/z/+/#');
    expect(rewrite('y/a/z/+/b')).toBe('y/z/a/+/b');
    expect(['y/#', '#', 'y/+/+/#', '+/a/z/b'].map(rewrite)).toEqual([
      ...['y/#', '#', 'y/+/+/#', '+/a/z/b'],
    ]);
    expect(rewrites([rule('y/+', 'z/$1')], 'subscribe')('y/#')).toBe('y/#');
  });

  it('gives no name when the client does not fit into one', () => {
    const rewriter = new TopicRewriter([rule('a', '${clientId}'), rule('b', '${username}/x')]);
    for (const bad of ['', 'a/b', '+', '#', 'a\0', '$SYS']) {
      const client = identityOf(bad, undefined, '');
      expect(rewriter.rewrite('publish', 'a', client)).toBeUndefined();
      expect(rewriter.rewrite('publish', 'b', client)).toBeUndefined();
      expect(rewriter.rewrite('publish', 'c', client)).toBe('c');
    }
  });

  it('takes a literal $', () => {
    expect(rewrites([rule('later/#', '$delayed/5/$1')])('later/x')).toBe('$delayed/5/x');
  });

  it.each(['$2', '${nobody}', 'x/${}'])('refuses the destination %s', (destination) => {
    expect(() => new TopicRewriter([rule('a/+', destination)])).toThrow(/wildcard|placeholder/);
  });
});

describe('the cost of rewriting', () => {
  it('does not explode on what would make a regular expression backtrack', () => {
    const rewrite = rewrites([rule(`${'+/'.repeat(30)}end`, 'x'), rule('a/#', '$1$1$1')]);
    const name = `${'a/'.repeat(2_000)}b`;
    // With backtracking this would not come to an end.
    expect(rewrite(name)).toBe(name.slice('a/'.length).repeat(3));
  });

  it('does not grow with rules that do not match', () => {
    const rules = Array.from({ length: 1000 }, (_, index) => rule(`r${String(index)}/+`, 'x/$1'));
    expect(rewrites(rules)('r999/y')).toBe('x/y');
    expect(rewrites(rules)('s/y')).toBe('s/y');
  });
});
