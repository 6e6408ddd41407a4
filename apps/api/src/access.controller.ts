import { Controller, Inject } from '@nestjs/common';
import type { AclSimulation, Input } from '#libs/api-contracts';
import { presentVerdict, wireRequestOf } from './access-presenter.ts';
import type { Cluster } from './cluster/cluster.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER } from './tokens.ts';

/** Who may do what. */
@Controller()
export class AccessController {
  constructor(@Inject(CLUSTER) private readonly cluster: Cluster) {}

  @Route('simulateAcl')
  async simulate(@Checked() { body }: Input<'simulateAcl'>): Promise<AclSimulation> {
    const { client_id: clientId, username, groups, address, certificate_name } = body;
    const { verdicts } = await this.cluster.inquire().read({
      kind: 'simulate-access',
      subject: { clientId, username, groups, address, certificateName: certificate_name },
      requests: body.checks.map((check) => wireRequestOf(check)),
    });
    return { results: verdicts.map((verdict) => presentVerdict(verdict)) };
  }
}
