import ArchiveRestore from './archive/restore.command.js';
import ArchiveVerify from './archive/verify.command.js';
import DataDecrypt from './data/decrypt.command.js';
import DataEncrypt from './data/encrypt.command.js';
import DataKey from './data/key.command.js';
import DataResults from './data/results.command.js';
import DataSeal from './data/seal.command.js';
import Invoice from './invoice/invoice.command.js';
import NodeDoctor from './node/doctor.command.js';
import NodeDrain from './node/drain.command.js';
import NodeEarnings from './node/earnings.command.js';
import NodeFaults from './node/faults.command.js';
import NodeInit from './node/init.command.js';
import NodePrice from './node/price.command.js';
import NodeRecoverKey from './node/recover-key.command.js';
import NodeRotateKey from './node/rotate-key.command.js';
import NodeSelfTest from './node/self-test.command.js';
import NodeTop from './node/top.command.js';
import NodeUndrain from './node/undrain.command.js';
import VerifyBundle from './verify/bundle.command.js';
import VerifyEvidence from './verify/evidence.command.js';

/** By topic and verb. A command loads what it needs when it runs, so that this list costs next to nothing. */
export const COMMANDS = {
  'archive:restore': ArchiveRestore,
  'archive:verify': ArchiveVerify,
  'data:decrypt': DataDecrypt,
  'data:encrypt': DataEncrypt,
  'data:key': DataKey,
  'data:results': DataResults,
  'data:seal': DataSeal,
  invoice: Invoice,
  'node:doctor': NodeDoctor,
  'node:drain': NodeDrain,
  'node:earnings': NodeEarnings,
  'node:faults': NodeFaults,
  'node:init': NodeInit,
  'node:price': NodePrice,
  'node:recover-key': NodeRecoverKey,
  'node:rotate-key': NodeRotateKey,
  'node:self-test': NodeSelfTest,
  'node:top': NodeTop,
  'node:undrain': NodeUndrain,
  'verify:bundle': VerifyBundle,
  'verify:evidence': VerifyEvidence,
};
