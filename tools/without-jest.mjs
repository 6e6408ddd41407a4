// Lets a tool use the test kit, whose suites for Jest have nothing to do there. Import it before the kit.
import { registerHooks } from 'node:module';

const NAMES = [
  'afterAll',
  'afterEach',
  'beforeAll',
  'beforeEach',
  'describe',
  'expect',
  'it',
  'jest',
];
const JEST = `data:text/javascript,${NAMES.map((name) => `export const ${name} = 0;`).join('')}`;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '@jest/globals' ? { url: JEST, shortCircuit: true } : next(specifier, context),
});
