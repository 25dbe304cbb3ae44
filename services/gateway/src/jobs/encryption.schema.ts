import { isAgeRecipient } from '@astro/content/age';
import { encryptionLimits } from '@astro/messages/encryption';
import { z } from 'zod';
import { isWithoutRepeats } from '../http/fields.js';

const recipient = z
  .string()
  .refine(isAgeRecipient, 'must be an age recipient of X25519: `age1` and 58 characters with their checksum');

export const ageRecipient = recipient.meta({
  example: 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
});

export const encryptionRequest = z
  .strictObject({
    scheme: z.literal('age'),
    wrappedKey: z
      .base64()
      .min(1)
      .max(encryptionLimits.wrappedKeyLength)
      .meta({
        description:
          'The key of the job, an age identity that its inputs are encrypted to, encrypted to the ' +
          'encryptionRecipient of each of requirements.nodes: an age file in base64',
      }),
    outputRecipients: z
      .array(ageRecipient)
      .min(1)
      .max(encryptionLimits.outputRecipients)
      .refine(isWithoutRepeats, 'must not repeat')
      .meta({ description: 'To whom nodes encrypt the outputs' }),
  })
  .meta({
    id: 'EncryptionRequest',
    description:
      'The platform carries inputs and outputs as age files, and cannot read them. Only the nodes that are named ' +
      'in requirements.nodes may run the job. What programs write to their streams is not kept',
  });

type Encrypting = {
  readonly encryption?: object | undefined;
  readonly requirements: { readonly nodes?: readonly string[] | undefined };
  readonly program: { readonly isEncrypted?: boolean | undefined };
  readonly tasks?: Inputs | undefined;
  readonly array?: Inputs[number] | undefined;
  readonly service?: object | undefined;
  readonly checkpoints?: object | undefined;
  readonly quorum: number;
};
type Inputs = readonly { readonly inputs: readonly { readonly isEncrypted?: boolean | undefined }[] }[];

/** What goes together of who may read a job's data; each with the field at fault. */
export function checkEncryption(job: Encrypting, context: z.core.$RefinementCtx): void {
  const refuse = (path: (string | number)[], message: string) =>
    context.addIssue({ code: 'custom', path, message, input: job });
  const { encryption, requirements, service, checkpoints, quorum } = job;
  const { nodes } = requirements;
  if (nodes && nodes.length < quorum)
    refuse(['requirements', 'nodes'], 'must be at least as many as the quorum');
  if (!encryption) {
    for (const path of encryptedFields(job)) refuse(path, 'must be left out without encryption');
    return;
  }
  if (!nodes) refuse(['requirements', 'nodes'], 'must name the nodes that the key is encrypted to');
  if (service) refuse(['encryption'], 'must be absent for a service');
  if (checkpoints) refuse(['checkpoints'], 'must be absent with encryption');
}

function encryptedFields({ program, tasks, array }: Encrypting): (string | number)[][] {
  const fields = (inputs: Inputs[number]['inputs'], at: (string | number)[]) =>
    inputs.flatMap(({ isEncrypted }, index) =>
      isEncrypted ? [[...at, 'inputs', index, 'isEncrypted']] : [],
    );
  return [
    ...(program.isEncrypted ? [['program', 'isEncrypted']] : []),
    ...(tasks ?? []).flatMap(({ inputs }, index) => fields(inputs, ['tasks', index])),
    ...(array ? fields(array.inputs, ['array']) : []),
  ];
}
