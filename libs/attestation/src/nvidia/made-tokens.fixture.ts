import { createHash } from 'node:crypto';
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JSONWebKeySet,
  type JWTPayload,
} from 'jose';

export const madeIssuer = 'https://nras.example';
const KEY_ID = 'nv-eat-kid-made';
const goodChain = { 'x-nvidia-cert-status': 'valid', 'x-nvidia-cert-ocsp-status': 'good' };

const soundDevice = {
  hwmodel: 'GH100 A01 GSP BROM',
  measres: 'success',
  secboot: true,
  dbgstat: 'disabled',
  'x-nvidia-gpu-driver-version': '550.90.07',
  'x-nvidia-gpu-vbios-version': '96.00.9F.00.01',
  'x-nvidia-gpu-attestation-report-cert-chain': goodChain,
  'x-nvidia-gpu-driver-rim-cert-chain': goodChain,
  'x-nvidia-gpu-vbios-rim-cert-chain': goodChain,
  'x-nvidia-gpu-arch-check': true,
  'x-nvidia-gpu-attestation-report-parsed': true,
  'x-nvidia-gpu-attestation-report-nonce-match': true,
  'x-nvidia-gpu-attestation-report-signature-verified': true,
  'x-nvidia-gpu-attestation-report-cert-chain-fwid-match': true,
  'x-nvidia-gpu-driver-rim-schema-validated': true,
  'x-nvidia-gpu-driver-rim-signature-verified': true,
  'x-nvidia-gpu-driver-rim-version-match': true,
  'x-nvidia-gpu-driver-rim-measurements-available': true,
  'x-nvidia-gpu-vbios-rim-schema-validated': true,
  'x-nvidia-gpu-vbios-rim-signature-verified': true,
  'x-nvidia-gpu-vbios-rim-version-match': true,
  'x-nvidia-gpu-vbios-rim-measurements-available': true,
  'x-nvidia-gpu-vbios-index-no-conflict': true,
};

export type TokensWish = {
  readonly nonce: string;
  readonly device?: JWTPayload;
  readonly overall?: JWTPayload;
  readonly devices?: number;
  readonly signer?: CryptoKey;
};

/** NVIDIA's verifier, with a key of its own. */
export class MadeNvidia {
  private constructor(
    private readonly now: Date,
    private readonly key: CryptoKey,
    readonly keys: JSONWebKeySet,
  ) {}

  static async create(now: Date): Promise<MadeNvidia> {
    const { publicKey, privateKey } = await generateKeyPair('ES384', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'ES384' };
    return new MadeNvidia(now, privateKey, { keys: [jwk] });
  }

  async tokens({ nonce, device = {}, overall = {}, devices = 2, signer = this.key }: TokensWish) {
    const deviceTokens: Record<string, string> = {};
    const submods: Record<string, unknown> = {};
    for (let index = 0; index < devices; index++) {
      const name = `GPU-${index}`;
      const claims = { ...soundDevice, eat_nonce: nonce, ueid: `4779${index}`, ...device };
      const token = await this.sign(claims, signer);
      deviceTokens[name] = token;
      submods[name] = ['DIGEST', ['SHA-256', createHash('sha256').update(token).digest('hex')]];
    }
    const claims = { eat_nonce: nonce, 'x-nvidia-overall-att-result': true, submods, ...overall };
    return { overallToken: await this.sign(claims, signer), deviceTokens };
  }

  private sign(claims: JWTPayload, key: CryptoKey): Promise<string> {
    const seconds = Math.floor(this.now.getTime() / 1_000);
    return new SignJWT({
      iss: madeIssuer,
      iat: seconds - 5,
      nbf: seconds - 5,
      exp: seconds + 3_600,
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES384', kid: KEY_ID, typ: 'JWT' })
      .sign(key);
  }
}
