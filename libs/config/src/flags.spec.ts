import { expect, it } from '@jest/globals';
import { FLAGS_HELP, parseFlags } from './index.ts';

it('reads values after a space and after an equals sign', () => {
  expect(parseFlags(['--config', 'a.yaml', '--data=dir', '--print-config'])).toEqual({
    config: 'a.yaml',
    data: 'dir',
    printConfig: true,
    help: false,
    version: false,
  });
});

it.each([
  [['--data'], '--data: needs a value; write --data DIR'],
  [['--config', '--help'], '--config: needs a value; write --config FILE'],
  [['--help=yes'], '--help: takes no value; write --help alone'],
  [
    ['--versoin'],
    '--versoin: is not a known flag; the nearest is --version, see --help; settings are keys of the file and SKEIN_* variables, see docs/configuration.md',
  ],
])('refuses %j', (argv, message) => {
  expect(() => parseFlags(argv)).toThrow(message);
});

it('describes every flag on a line of its own', () => {
  expect(FLAGS_HELP.split('\n').map((line) => line.trim().split(' ')[0])).toEqual([
    '--config',
    '--data',
    '--print-config',
    '--help',
    '--version',
  ]);
});
