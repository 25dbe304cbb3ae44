import { newId } from '@astro/event-sourcing/ids';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { CommandBus } from '@astro/jetstream/command-bus';
import type { AccountCommand, SettlementCommand } from '@astro/messages/billing';
import type {
  ApiKeyCommand,
  Attestation,
  KeyOwner,
  NodeCommand,
  OperatorCommand,
  TenantCommand,
} from '@astro/messages/registry';
import type { AccusationCommand } from '@astro/messages/verification';
import { newApiKey } from '@astro/runtime/api-key';

type AdministrativeCommand =
  | NodeCommand
  | TenantCommand
  | OperatorCommand
  | ApiKeyCommand
  | AccountCommand
  | SettlementCommand
  | AccusationCommand;

/** A service that is restarting answers within this time; the command itself is durable before. */
const timeoutMs = 15_000;
const actor = 'service:admin';

/** A command was refused: the reason is the decider's. */
export class Refused extends Error {
  constructor(command: string, rejection: string, detail: string) {
    super(`${command} was refused: ${rejection}${detail ? ` (${detail})` : ''}`);
  }
}

/** What only the platform's operator does: tenants, operators, keys and credit. */
export class Administration {
  constructor(private readonly commands: CommandBus) {}

  async registerTenant(name: string): Promise<{ readonly tenantId: string; readonly apiKey: string }> {
    const tenantId = newId('tenant');
    await this.request({
      to: { type: 'registry.tenant', id: tenantId },
      type: 'RegisterTenant',
      data: { tenantId, name },
    });
    return { tenantId, apiKey: await this.issueApiKey('tenant', tenantId, name) };
  }

  async registerOperator(name: string): Promise<{ readonly operatorId: string; readonly apiKey: string }> {
    const operatorId = newId('operator');
    await this.request({
      to: { type: 'registry.operator', id: operatorId },
      type: 'RegisterOperator',
      data: { operatorId, name },
    });
    return { operatorId, apiKey: await this.issueApiKey('operator', operatorId, name) };
  }

  /** @param creditId makes a repeated credit harmless; a new one is made when it is not given. */
  async credit(tenantId: string, amountAtto: bigint, creditId = newId('credit')): Promise<void> {
    await this.request({
      to: { type: 'billing.account', id: tenantId },
      type: 'CreditAccount',
      data: { tenantId, creditId, amountAtto },
    });
  }

  /** Whoever calls this has verified the evidence. */
  async attest(nodeId: string, attestation: Attestation): Promise<void> {
    await this.request({
      to: { type: 'registry.node', id: nodeId },
      type: 'AttestNode',
      data: { nodeId, attestation },
    });
  }

  async revokeAttestation(nodeId: string, reason: string): Promise<void> {
    await this.request({
      to: { type: 'registry.node', id: nodeId },
      type: 'RevokeAttestation',
      data: { nodeId, reason },
    });
  }

  /** Ends all that the node was given, at once. Its operator cannot take that back. */
  async revokeNode(nodeId: string, reason: string): Promise<void> {
    await this.request({
      to: { type: 'registry.node', id: nodeId },
      type: 'RevokeNode',
      data: { nodeId, reason, at: new Date() },
    });
  }

  async reinstateNode(nodeId: string): Promise<void> {
    await this.request({
      to: { type: 'registry.node', id: nodeId },
      type: 'ReinstateNode',
      data: { nodeId },
    });
  }

  /** @param reason why the ledger and Escrow differ */
  async resumeSettlement(chainId: string, reason: string): Promise<void> {
    await this.request({
      to: { type: 'billing.settlement', id: chainId },
      type: 'ResumeSettlement',
      data: { reason },
    });
  }

  /** @param reason why the accusation is right or wrong, in view of the answer */
  async decideCase(faultId: string, isRight: boolean, reason: string): Promise<void> {
    await this.request({
      to: { type: 'verification.accusation', id: faultId },
      type: 'DecideCase',
      data: { faultId, isRight, reason },
    });
  }

  /** The text of the key is returned here and kept nowhere. */
  private async issueApiKey(owner: KeyOwner, ownerId: string, label: string): Promise<string> {
    const keyId = newId('key');
    const { text, sha256 } = newApiKey();
    await this.request({
      to: { type: 'registry.api-key', id: keyId },
      type: 'IssueApiKey',
      data: { keyId, owner, ownerId, sha256, label },
    });
    return text;
  }

  private async request(command: Directed<AdministrativeCommand>): Promise<void> {
    const id = newId('cmd');
    const outcome = await this.commands.request(command, {
      id,
      metadata: { correlationId: id, causationId: id, actor },
      timeoutMs,
    });
    if (!outcome)
      throw new Error(`${command.type}: no answer within ${timeoutMs} ms. Is the platform running?`);
    if (!outcome.accepted) throw new Refused(command.type, outcome.rejection, outcome.detail);
  }
}
