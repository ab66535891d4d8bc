// Usage: node verify.mjs CERTIFICATE_TOOL, in a folder where the packages of package.json are installed.
//
// Certificates go both ways: what a node shows is judged by @libp2p/tls, and what @libp2p/tls makes is judged by the
// node's own check. Its functions for that are not part of its package's front door, hence the path.
import { execFileSync } from 'node:child_process'
import assert from 'node:assert/strict'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const load = async (name) => await import(pathToFileURL(path.resolve('node_modules', name)).href)
const { verifyPeerCertificate, generateCertificate } = await load('@libp2p/tls/dist/src/utils.js')
const { generateKeyPair } = await load('@libp2p/crypto/dist/src/keys/index.js')

const tool = path.resolve(process.argv[2])
const run = (...args) => execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
const refused = (hex) => {
  try {
    run('check', hex)
    return undefined
  } catch (failure) {
    return failure.stdout.trim()
  }
}

const [hex, peer] = run('make').trim().split('\n')
const der = Buffer.from(hex, 'hex')
const proven = await verifyPeerCertificate(new Uint8Array(der))
assert.equal(proven.toString(), peer)
console.log(`ok   @libp2p/tls accepts our certificate of ${peer}`)

const changed = Uint8Array.from(der)
changed[changed.length - 1] ^= 1
await assert.rejects(verifyPeerCertificate(changed))
console.log('ok   @libp2p/tls refuses it with a bit changed')

const toHex = (pem) => Buffer.from(pem.replace(/-----[^-]*-----|\s/g, ''), 'base64').toString('hex')
const theirs = await generateKeyPair('Ed25519')
const theirPeer = (await verifyPeerCertificate(
  new Uint8Array(Buffer.from(toHex((await generateCertificate(theirs)).cert), 'hex')))).toString()
assert.equal(run('check', toHex((await generateCertificate(theirs)).cert)).trim(), theirPeer)
console.log(`ok   we accept the certificate of ${theirPeer}`)

for (const type of ['secp256k1', 'ECDSA']) {
  const other = await generateKeyPair(type)
  assert.equal(refused(toHex((await generateCertificate(other)).cert)), 'identity is not a valid Ed25519 key')
  console.log(`ok   we refuse an identity of type ${type}`)
}
