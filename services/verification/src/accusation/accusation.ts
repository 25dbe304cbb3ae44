import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import type {
  AccusationCommand,
  AccusationEvent,
  CaseStatus,
  FollowCase,
  PrepareAccusation,
} from '@astro/messages/verification';

export type AccusationRejection =
  | 'FaultNotFound'
  | 'FaultIsAnother'
  | 'AccusationDiffers'
  | 'AccusationIsPrepared'
  | 'AccusationIsWaived'
  | 'AccusationIsNotPrepared'
  | 'AccusationIsNotSent'
  | 'CaseIsAnother'
  | 'CaseIsDecided'
  | 'CaseIsClosed'
  | 'CaseStatusIsInvalid';

type Prepared = Omit<PrepareAccusation, 'faultId'>;

/** One fault, and what becomes of it on chain. */
export type Accusation = {
  readonly status: 'absent' | 'recorded' | 'waived' | 'prepared' | 'sent' | 'closed';
  readonly leaseId?: string;
  readonly prepared?: Prepared;
  readonly caseId?: string;
  /** Whether verification upholds it; absent before it has decided. */
  readonly isRight?: boolean;
  /** As the chain had it last. */
  readonly stands?: CaseStatus;
};

type Decided = Decision<AccusationEvent, AccusationRejection>;

/** A fault is accused of once, and judged only after the accused could answer: the chain has the windows. */
export const accusation: Decider<Accusation, AccusationCommand, AccusationEvent, AccusationRejection> = {
  initialState: { status: 'absent' },

  decide(command, state) {
    const { type, data } = command;
    if (type === 'RecordFault') {
      const { accused } = data;
      if (state.status === 'absent') return accept({ type: 'FaultRecorded', data });
      return state.leaseId === accused.leaseId ? accept() : reject('FaultIsAnother', accused.faultId);
    }
    if (state.status === 'absent') return reject('FaultNotFound', data.faultId);
    switch (type) {
      case 'PrepareAccusation':
        return prepare(data, state);
      case 'WaiveAccusation':
        if (state.status === 'waived') return accept();
        if (state.prepared) return reject('AccusationIsPrepared', data.faultId);
        return accept({ type: 'AccusationWaived', data });
      case 'NoteAccusation':
        if (!state.prepared) return reject('AccusationIsNotPrepared', data.faultId);
        if (state.caseId === undefined) return accept({ type: 'AccusationSent', data });
        return state.caseId === data.caseId
          ? accept()
          : reject('CaseIsAnother', `caseId: was ${state.caseId}`);
      case 'DecideCase':
        if (state.caseId === undefined) return reject('AccusationIsNotSent', data.faultId);
        if (state.isRight !== undefined)
          return state.isRight === data.isRight
            ? accept()
            : reject('CaseIsDecided', `isRight: ${state.isRight}`);
        if (state.status === 'closed') return reject('CaseIsClosed', data.faultId);
        return accept({ type: 'CaseDecided', data });
      case 'FollowCase':
        return follow(data, state);
    }
  },

  evolve(state, { type, data }) {
    switch (type) {
      case 'FaultRecorded':
        return { status: 'recorded', leaseId: data.accused.leaseId };
      case 'AccusationPrepared': {
        const { faultId: _id, ...prepared } = data;
        return { ...state, status: 'prepared', prepared };
      }
      case 'AccusationWaived':
        return { ...state, status: 'waived' };
      case 'AccusationSent':
        return { ...state, status: 'sent', caseId: data.caseId, stands: 'open' };
      case 'CaseDecided':
        return { ...state, isRight: data.isRight };
      case 'CaseMoved':
        return { ...state, stands: data.status };
      case 'CaseClosed':
        return { ...state, status: 'closed', stands: data.status };
    }
  },
};

/** What was prepared may have been sent: it stays what it is. */
function prepare(data: PrepareAccusation, { status, prepared }: Accusation): Decided {
  if (status === 'waived') return reject('AccusationIsWaived', data.faultId);
  if (!prepared) return accept({ type: 'AccusationPrepared', data });
  const isSame = prepared.evidence === data.evidence && prepared.chainId === data.chainId;
  return isSame ? accept() : reject('AccusationDiffers', `evidence: was ${prepared.evidence}`);
}

function follow({ faultId, status, endsAt, slashedAtto }: FollowCase, state: Accusation): Decided {
  if (state.caseId === undefined) return reject('AccusationIsNotSent', faultId);
  if (state.stands === status) return accept();
  if (state.status === 'closed') return reject('CaseIsClosed', faultId);
  switch (status) {
    case 'unspecified':
      return reject('CaseStatusIsInvalid', 'status: must be specified');
    case 'open':
      return reject('CaseStatusIsInvalid', `status: was ${state.stands}, and no case is opened again`);
    case 'upheld':
    case 'appealed':
      return accept({ type: 'CaseMoved', data: { faultId, status, ...(endsAt && { endsAt }) } });
    case 'slashed':
    case 'dismissed':
    case 'overturned':
    case 'expired':
      return accept({ type: 'CaseClosed', data: { faultId, status, slashedAtto } });
  }
}
