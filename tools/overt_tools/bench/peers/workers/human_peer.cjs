// @vladmandic/human on TensorFlow.js's WASM backend, one thread, everything but faces and their descriptors switched
// off. Arguments: the folder of node_modules. The wire is that of wire.py. Its descriptor network also guesses age and
// sex: those outputs are never read here.
'use strict';
const fs = require('fs');
const path = require('path');

const modules = process.argv[2];
const load = (name) => require(path.join(modules, name));
const package_ = (name) => JSON.parse(fs.readFileSync(path.join(modules, name, 'package.json'), 'utf8'));

console.log = console.info = console.warn = (...words) => console.error(...words);

// The models come inside the package; this build of the library can only "fetch" them.
global.fetch = async (address) => {
  const data = fs.readFileSync(new URL(String(address.url || address)));
  return new Response(data, { status: 200, headers: { 'content-type': 'application/octet-stream' } });
};

const tf = load('@tensorflow/tfjs');
const wasm = load('@tensorflow/tfjs-backend-wasm');
wasm.setWasmPaths(path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'));
wasm.setThreadsCount(1);
tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
const { Human } = load('@vladmandic/human/dist/human.node-wasm.js');

const folder = path.join(modules, '@vladmandic/human/models/');
const human = new Human({
  backend: 'wasm', wasmPath: path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'),
  modelBasePath: `file://${folder}`, cacheSensitivity: 0, async: false, debug: false, warmup: 'none',
  filter: { enabled: false },
  face: {
    enabled: true, detector: { maxDetected: 50, rotation: false }, mesh: { enabled: true }, iris: { enabled: false },
    description: { enabled: true }, emotion: { enabled: false }, antispoof: { enabled: false },
    liveness: { enabled: false },
  },
  body: { enabled: false }, hand: { enabled: false }, object: { enabled: false }, gesture: { enabled: false },
  segmentation: { enabled: false },
});

const answer = (value) => fs.writeSync(1, `${JSON.stringify(value)}\n`);

function read(count) {
  const data = Buffer.alloc(count);
  for (let got = 0; got < count;) {
    let more = 0;
    try {
      more = fs.readSync(0, data, got, count - got, null);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      continue;
    }
    if (more === 0) process.exit(1);
    got += more;
  }
  return data;
}

async function look(data, width, height) {
  const picture = human.tf.tensor(data, [1, height, width, 3], 'int32');
  const result = await human.detect(picture);
  picture.dispose();
  return result.face;
}

async function main() {
  await human.load();
  answer({ versions: { '@vladmandic/human': human.version, tfjs: package_('@tensorflow/tfjs').version } });
  const listed = [];
  for (;;) {
    const header = read(12);
    const [kind, width, height] = [0, 4, 8].map((at) => header.readUInt32LE(at));
    if (kind === 2) break;
    const data = read(width * height * 3);
    if (kind === 0) {
      const faces = (await look(data, width, height)).filter((face) => face.embedding);
      if (faces.length) listed.push(faces[0].embedding);
      answer({ enrolled: faces.length > 0 });
      continue;
    }
    const before = process.cpuUsage();
    const found = await look(data, width, height);
    const faces = found.map((face) => [
      ...face.box,
      face.embedding ? Math.max(...listed.map((one) => human.match.similarity(face.embedding, one))) : 0,
    ]);
    const spent = process.cpuUsage(before);
    answer({ find_s: (spent.user + spent.system) / 1e6, compare_s: 0, faces });
  }
  answer({ peak_mb: process.resourceUsage().maxRSS / 1024 });
}

main().catch((error) => { console.error(error); process.exit(1); });
