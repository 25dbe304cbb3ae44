import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import type { ApiKeyCommand, ApiKeyEvent, ApiKeyIssued, IssueApiKey } from '@astro/messages/registry';
import { nameProblem } from '../name.js';

export type ApiKeyRejection = 'ApiKeyIsInvalid' | 'ApiKeyExists' | 'ApiKeyNotFound';

export type ApiKey =
  { readonly status: 'absent' } | { readonly status: 'issued' | 'revoked'; readonly issued: ApiKeyIssued };

/** A secret that stands for its owner at the gateway. Only its hash is ever known here. */
export const apiKey: Decider<ApiKey, ApiKeyCommand, ApiKeyEvent, ApiKeyRejection> = {
  initialState: { status: 'absent' },

  decide({ type, data }, key) {
    switch (type) {
      case 'IssueApiKey': {
        if (key.status !== 'absent') return isSame(key.issued, data) ? accept() : reject('ApiKeyExists');
        const problem = keyProblem(data);
        return problem === undefined
          ? accept({ type: 'ApiKeyIssued', data })
          : reject('ApiKeyIsInvalid', problem);
      }
      case 'RevokeApiKey':
        if (key.status === 'absent') return reject('ApiKeyNotFound');
        return key.status === 'revoked' ? accept() : accept({ type: 'ApiKeyRevoked', data });
    }
  },

  evolve(key, { type, data }) {
    switch (type) {
      case 'ApiKeyIssued':
        return { status: 'issued', issued: data };
      case 'ApiKeyRevoked':
        if (key.status === 'absent')
          throw new Error(`the history revokes ${data.keyId}, which was never issued`);
        return { ...key, status: 'revoked' };
    }
  },
};

function keyProblem({ owner, ownerId, sha256, label }: IssueApiKey): string | undefined {
  if (owner === 'unspecified') return 'owner: must be tenant or operator';
  if (ownerId === '') return 'ownerId: must not be empty';
  if (!/^[0-9a-f]{64}$/.test(sha256)) return 'sha256: must be 64 hexadecimal digits in lower case';
  return label === '' ? undefined : nameProblem('label', label);
}

const isSame = (issued: ApiKeyIssued, wanted: IssueApiKey) =>
  issued.owner === wanted.owner &&
  issued.ownerId === wanted.ownerId &&
  issued.sha256 === wanted.sha256 &&
  issued.label === wanted.label;
