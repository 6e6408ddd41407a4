import { describe, expect, it } from '@jest/globals';
import type { Plant } from './plant.ts';
import { profileNamed } from './profiles.ts';
import { simulate } from './simulation.ts';

const SEEDS_MAX = 40;

describe('a planted defect', () => {
  it.each<{ plant: Plant; profile: string; failure: RegExp }>([
    { plant: 'no-fence', profile: 'pause', failure: /lost|qos2Duplicated|left/u },
    { plant: 'no-once', profile: 'kill', failure: /qos2Duplicated/u },
    { plant: 'early-ack', profile: 'redis', failure: /lost/u },
    { plant: 'lost-batch', profile: 'suback', failure: /lost/u },
    { plant: 'lost-batch', profile: 'rolling', failure: /to the group lost/u },
    { plant: 'lost-will', profile: 'pause', failure: /lost/u },
    { plant: 'unconfirmed-routes', profile: 'suback', failure: /after SUBACK lost/u },
  ])(
    'is found: $plant, by profile $profile',
    async ({ plant, profile, failure }) => {
      const found: string[] = [];
      for (let seed = 0; seed < SEEDS_MAX && !found.some((text) => failure.test(text)); seed += 1) {
        const outcome = await simulate({ seed, plant, profile: profileNamed(profile) });
        found.push(...outcome.failures);
      }
      expect(found.join('; ')).toMatch(failure);
    },
    120_000,
  );
});
