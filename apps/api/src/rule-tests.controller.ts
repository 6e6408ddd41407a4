import { Controller, Inject } from '@nestjs/common';
import type { Input, RuleSample, RuleTest, WireRule } from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { wireRuleOf } from './presenters.ts';
import { presentTrial, wireSampleOf } from './rule-test-presenter.ts';
import { CLUSTER } from './tokens.ts';

/** Dry runs of bridge rules: any node can tell. */
@Controller()
export class RuleTestsController {
  constructor(@Inject(CLUSTER) private readonly cluster: Cluster) {}

  @Route('testBridgeRule')
  test(@Checked() { path, body }: Input<'testBridgeRule'>): Promise<RuleTest> {
    return this.#try(path.rule_id, body);
  }

  @Route('testUnsavedBridgeRule')
  testUnsaved(@Checked() { body }: Input<'testUnsavedBridgeRule'>): Promise<RuleTest> {
    return this.#try(wireRuleOf(body.rule), body);
  }

  async #try(rule: string | WireRule, given: RuleSample): Promise<RuleTest> {
    const sample = wireSampleOf(given);
    const trial = await this.cluster.inquire().read({ kind: 'try-rule', rule, sample });
    if (trial.kind === 'absent') {
      throw new ProblemError('not-found', 'There is no rule with this id');
    }
    if (trial.kind === 'invalid') throw new ProblemError('unprocessable', trial.detail);
    return presentTrial(trial);
  }
}
