import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig } from './index.ts';

function clientIdsOf(...templates: readonly string[]): readonly string[] | string {
  try {
    return loadConfig({ env: { SKEIN_AUTH_CLIENT_IDS: JSON.stringify(templates) } }).auth.clientIds;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}

describe('auth.clientIds', () => {
  it('are any, if nothing is said', () => {
    expect(loadConfig({ env: {} }).auth.clientIds).toEqual([]);
  });

  it('may name what a client has proven, and be open at the end', () => {
    const templates = ['${username}', '${username}-${cert.cn}:*', 'fixed', '*'];
    expect(clientIdsOf(...templates)).toEqual(templates);
  });

  it.each(['${user}', '${username', 'a*b', '**', ''])('cannot be %j', (template) => {
    const fault =
      'must be a list of texts that may hold ${username} and ${cert.cn}, and end with *';
    expect(clientIdsOf('ok', template)).toContain(fault);
  });
});
