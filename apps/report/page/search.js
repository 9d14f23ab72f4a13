// The report of a search: search.html, filled in.

// ---- every network, by its id ----

const networks = new Map();
const front = new Set(data.front || []);
const trainings = data.finalists || [];  // {id, epochs, trained_accuracy}: those trained longest first, best first
const finalists = [...new Set(trainings.map(t => t.id))];
const task = dataset ? {image: dataset.image[0], classes: dataset.classes} : {};

if (data.candidates) {
  for (const row of data.candidates.rows) {
    const network = Object.fromEntries(data.candidates.columns.map((name, i) => [name, row[i]]));
    networks.set(network.id, {...network, candidate: true});
  }
}
for (const sampled of data.rank_sample || []) {
  networks.set(sampled.id, {...sampled, epochs: Number(data.rank_epochs), ...networks.get(sampled.id), sampled: true,
                            sample_accuracy: sampled.trained_accuracy});
}
for (const id of finalists) {
  const {epochs, trained_accuracy} = trainings.find(t => t.id === id);
  Object.assign(networks.get(id), {epochs, trained_accuracy, finalist: true});
}
for (const network of networks.values()) {
  network.onFront = front.has(network.id);
  network.architecture = unpack(network.architecture);
}
const all = [...networks.values()];
const candidates = all.filter(n => n.candidate);
const predicts = [...networks.values()].some(n => known(n.predicted_loss));
const hasLatency = candidates.some(n => known(n.latency_us));
const brief = id => id.slice(0, 8);
const epochText = count => `${count} epoch${count === 1 ? '' : 's'}`;

const scoreMeaning = {
  'structure and prediction': 'minus the loss after a short training that structure and predicted loss promise together',
  structure: 'minus the loss after a short training that the structure promises',
  prediction: 'minus the predicted loss',
  size: 'the logarithm of the multiply\u2013accumulates',
}[data.score];

// ---- one network: figures, drawing, JSON ----

function card(network) {
  const role = [network.finalist && 'finalist', network.onFront && 'on the front', network.sampled && 'of the rank sample']
    .filter(Boolean).join(', ');
  const list = terms(element('dl'), [
    ['parameters', whole(network.params)],
    ['MACs', whole(network.macs)],
    ['latency', known(network.latency_us) ? `${microseconds(network.latency_us)} an image` : null],
    ['of a batch', known(network.latency_batch_us) ? microseconds(network.latency_batch_us) : null],
    ['predicted', known(network.predicted_loss) ? `${percent(network.predicted_accuracy)}, loss ${fixed(3)(network.predicted_loss)}` : null],
    ['score', known(network.score) ? fixed(4)(network.score) : null],
    ['trained', known(network.trained_accuracy) ? `${percent(network.trained_accuracy)} after ${epochText(network.epochs)}` : null],
    ['generation', network.generation],
    ['parents', network.parents && network.parents.length ? network.parents.map(brief).join(', ') : null],
  ]);
  const json = element('details', {}, element('summary', {}, 'JSON, for train --architecture'),
                       element('pre', {tabIndex: 0}, JSON.stringify(network.architecture)));
  return element('div', {className: 'network'},
                 element('h3', {}, shape(network.architecture)),
                 element('p', {className: 'muted'}, element('span', {className: 'id'}, network.id), role ? ` \u00b7 ${role}` : ''),
                 list, drawing(network.architecture, task.image, task.classes), json);
}

// ---- head ----

const phases = data.phases || [];
const pending = phases.find(p => !p.finished);
const phaseNames = {hypernetwork: 'HyperNetwork', rank_sample: 'rank sample', search: 'search', finalists: 'finalists'};
describeRun(pending ? `it has come to the phase \u201c${phaseNames[pending.name]}\u201d` : 'its result is not written yet');

const best = networks.get(finalists[0]) || candidates[0];  // rows come best first
const facts = result.search || {};
const total = phases.reduce((sum, p) => sum + p.seconds, 0);
terms($('figures'), [
  ['candidates scored', data.generations && data.generations.length ? whole(candidates.length + (data.left_out || 0)) : null,
   facts.candidates_per_minute ? `${short(facts.candidates_per_minute)} a minute, none of them trained` : ''],
  ['on the Pareto front', front.size || null],
  best && known(best.trained_accuracy) ? ['best finalist', percent(best.trained_accuracy), `after ${epochText(best.epochs)}, on the validation split`]
                                       : ['best prediction', best && predicts ? percent(best.predicted_accuracy) : null],
  ['its size', best ? short(best.params) : null, best ? `parameters; ${short(best.macs)} MACs` : ''],
  ['all phases', total ? duration(total) : null, phases.filter(p => p.seconds > 0.5).map(p => `${phaseNames[p.name]} ${duration(p.seconds)}`).join(', ')],
]);

// ---- the front ----

const measures = {
  params: ['parameters', n => n.params, 'logarithmic'],
  macs: ['multiply\u2013accumulates', n => n.macs, 'logarithmic'],
  latency_us: ['latency of one image, \u00b5s', n => n.latency_us, 'logarithmic'],
  latency_batch_us: ['latency of a batch, \u00b5s', n => n.latency_batch_us, 'logarithmic'],
};
const errors = {
  expected: ['expected loss (\u2212 score)', n => -n.score],
  predicted: ['predicted error', n => 1 - n.predicted_accuracy],
  loss: ['predicted loss', n => n.predicted_loss],
};
if (!hasLatency) delete measures.latency_us;
if (!candidates.some(n => known(n.latency_batch_us))) delete measures.latency_batch_us;
if (!data.score_is_loss) delete errors.expected;
if (!predicts) {
  delete errors.predicted;
  delete errors.loss;
  if (!data.score_is_loss) errors.score = ['minus the score', n => -n.score];
}

function fillSelect(id, options) {
  for (const [value, [text]] of Object.entries(options)) $(id).append(element('option', {value}, text));
}

// Of a logarithmic axis: 1, 2 and 5 of every decade.
const tick = value => [1, 2, 5].includes(Number((value / 10 ** Math.floor(Math.log10(value))).toPrecision(2))) ? short(value) : '';

const leftOut = data.left_out
  ? ` ${whole(data.left_out)} candidates of the lowest scores are left out here; search.db has them.` : '';
let picked = best;

function frontConfiguration() {
  const [xTitle, x, type] = measures[$('front-x').value];
  const [yTitle, y] = errors[$('front-y').value];
  const points = chosen => chosen.map(network => ({x: x(network), y: y(network), network}));
  const style = (label, chosen, name, pointStyle, radius, order) => ({
    label, data: points(chosen), pointStyle, radius, hoverRadius: radius + 2, order,
    borderColor: colour(name), backgroundColor: colour(name, order === 4 ? 0.35 : 0.75), borderWidth: order === 4 ? 0 : 1.5,
  });
  const chosen = finalists.map(id => networks.get(id));
  const sets = [
    style('candidates', candidates.filter(n => !n.onFront && !n.finalist), 'faint', 'circle', 2.5, 4),
    style('Pareto front', candidates.filter(n => n.onFront && !n.finalist), 'accent', 'circle', 4, 3),
  ];
  if (chosen.length) sets.push(style('finalists', chosen, 'second', 'triangle', 7, 2));
  sets.push({...style('shown', [picked], 'ink', 'circle', 10, 1), backgroundColor: 'transparent'});
  return {
    type: 'scatter',
    data: {datasets: sets},
    options: {
      scales: {x: axis(xTitle, {type, ticks: {callback: tick, maxRotation: 0}, grid: {color: ({tick: at}) => tick(at.value) ? colour('line') : 'transparent'}}), y: axis(yTitle)},
      onClick: (event, elements) => elements.length && pick(elements[0].element.$context.raw.network),
      plugins: {
        legend: {position: 'bottom', labels: {filter: item => item.text !== 'shown'}},
        tooltip: {
          filter: (item, i) => i === 0,
          callbacks: {label: ({raw: {network}}) => [
            `${brief(network.id)}: ${shape(network.architecture)}`,
            `${short(network.params)} parameters, ${short(network.macs)} MACs`,
            [predicts && known(network.predicted_loss) ? `predicted ${percent(network.predicted_accuracy)}` : `score ${fixed(3)(network.score)}`,
             known(network.trained_accuracy) && `trained ${percent(network.trained_accuracy)}`].filter(Boolean).join(', '),
          ]},
        },
      },
    },
  };
}

let frontChart;
function pick(network) {
  picked = network;
  $('picked').replaceChildren(card(network));
  frontChart.draw();
}

if (candidates.length) {
  fillSelect('front-x', measures);
  fillSelect('front-y', errors);
  $('front-x').value = 'macs';
  const objectives = ['score', 'parameters', 'MACs', ...(hasLatency ? ['latency'] : [])];
  $('front-note').textContent =
    `No other candidate is better than one of the front in ${objectives.slice(0, -1).join(', ')} and ${objectives[objectives.length - 1]} ` +
    `at once. The score is ${scoreMeaning}. Choose a point to see its network.`;
  const range = value => {
    const values = candidates.map(value);
    return `${short(Math.min(...values))} to ${short(Math.max(...values))}`;
  };
  frontChart = chart('front', `${whole(candidates.length)} candidates of ${range(n => n.params)} parameters and ` +
    `${range(n => n.macs)} multiply\u2013accumulates; ${front.size} on the Pareto front, ${finalists.length} finalists. ` +
    'The table below has the same figures.' + leftOut, frontConfiguration);
  for (const id of ['front-x', 'front-y']) $(id).addEventListener('change', () => frontChart.draw());
  pick(best);
} else {
  $('front-section').hidden = true;
}

// ---- HyperNetwork and evolution ----

const hyper = data.hypernetwork || [];
if (!predicts && !hyper.length) $('hyper').closest('section').hidden = true;
else chart('hyper', hyper.length
  ? `Mean training loss of an epoch: ${fixed(3)(hyper[0].loss)} in the first, ${fixed(3)(hyper[hyper.length - 1].loss)} after ${hyper[hyper.length - 1].epoch} epochs.`
  : 'No epoch is done yet.', () => ({
  type: 'line',
  data: {datasets: [curve('training loss', hyper.map(e => ({x: e.epoch, y: e.loss})), 'accent')]},
  options: {
    scales: {x: axis('epoch', {type: 'linear', ticks: {precision: 0}}), y: axis('cross-entropy, nats')},
    plugins: {legend: {display: false}},
  },
}));

const generations = data.generations || [];
if (generations.length) {
  const [first, last] = [generations[0], generations[generations.length - 1]];
  chart('progress', `The mean score went from ${fixed(3)(first.mean)} to ${fixed(3)(last.mean)}, the best from ` +
    `${fixed(3)(first.best_so_far)} to ${fixed(3)(last.best_so_far)}, over ${generations.length} generations.`, () => {
    const points = key => generations.map(g => ({x: g.generation, y: g[key]}));
    return {
      type: 'line',
      data: {datasets: [
        curve('best so far', points('best_so_far'), 'accent', {stepped: true, pointRadius: 0}),
        curve('best of the generation', points('best'), 'third'),
        curve('mean', points('mean'), 'second'),
      ]},
      options: {
        scales: {x: axis('generation', {type: 'linear', ticks: {precision: 0}}), y: axis('score')},
        plugins: {legend: {position: 'bottom'}},
      },
    };
  });
} else {
  $('progress-section').hidden = true;
}

// ---- prediction and training ----

const sample = all.filter(n => n.sampled);
const trained = finalists.map(id => networks.get(id));
if (sample.length || trained.length) {
  const agreement = data.agreement;
  const scores = {  // of a network of the rank sample: by a fit to the others
    score: [`score (${data.score})`, n => known(n.sample_score) ? n.sample_score : n.score],
    predicted: ['predicted accuracy', n => n.predicted_accuracy],
    loss: ['predicted loss', n => n.predicted_loss],
  };
  if (!predicts) {
    delete scores.predicted;
    delete scores.loss;
  }
  fillSelect('agreement-x', scores);
  const interval = e => e ? `${fixed(2)(e.value)} [${fixed(2)(e.low)}, ${fixed(2)(e.high)}]` : '\u2013';
  $('agreement-note').textContent = agreement
    ? `${agreement.verdict} ${agreement.sample} random networks were trained from scratch (${epochText(Number(data.rank_epochs))}) to find out. ` +
      'Kendall\u2019s \u03c4 is 1 when two rankings agree and 0 when they have nothing in common; brackets hold 95 % (bootstrap).'
    : `There is no rank sample: only the finalists were trained${predicts ? ', and predicted' : ''}.`;
  const agreementChart = chart('agreement', `Score against trained accuracy of ${sample.length} random networks and ` +
    `${trained.length} finalists.`, () => {
    const [title, x] = scores[$('agreement-x').value];
    const set = (label, chosen, accuracy, name, alpha, more) => ({
      label, data: chosen.map(n => ({x: x(n), y: n[accuracy], network: n})),
      borderColor: colour(name), backgroundColor: colour(name, alpha), radius: 5, hoverRadius: 7, ...more});
    const lengths = [...new Set(trained.map(n => n.epochs))];  // of training: the longest first
    return {
      type: 'scatter',
      data: {datasets: [
        ...(sample.length ? [set(`random networks, ${epochText(Number(data.rank_epochs))}`, sample, 'sample_accuracy', 'accent', 0.6)] : []),
        ...lengths.map((length, i) => set(`finalists, ${epochText(length)}`, trained.filter(n => n.epochs === length), 'trained_accuracy',
                                          'second', i === 0 ? 0.8 : 0.15, {pointStyle: 'triangle', radius: 7, hoverRadius: 9})),
      ]},
      options: {
        scales: {x: axis(title), y: axis('trained accuracy')},
        plugins: {
          legend: {position: 'bottom'},
          tooltip: {callbacks: {label: ({raw}) => `${brief(raw.network.id)}: ${title} ${fixed(3)(raw.x)}, trained ${percent(raw.y)}`}},
        },
      },
    };
  });
  $('agreement-x').addEventListener('change', () => agreementChart.draw());
  if (agreement) {
    const rows = agreement.rankings.map(r => [{params: 'parameters', macs: 'MACs'}[r.ranking] || r.ranking, interval(r.kendall_tau), interval(r.spearman_rho), fixed(2)(r.precision_at_10)]);
    $('rankings').append(
      element('div', {className: 'scroll tight', tabIndex: 0, role: 'region', 'aria-label': 'Agreement with trained accuracy'},
              table([['ranking by', true], ['Kendall \u03c4'], ['Spearman \u03c1'], ['best 10 %']], rows)),
      element('p', {className: 'note'}, `Mean accuracy ${predicts ? `${percent(agreement.mean_predicted)} predicted, ` : ''}` +
        `${percent(agreement.mean_trained)} trained. \u201cBest 10 %\u201d: how many of the truly best the ranking also ` +
        'puts there. Parameters, MACs and one epoch of SGD are what any prediction must beat; structure and score are leave-one-out.'));
  }
} else {
  $('agreement-section').hidden = true;
}

if (trained.length) $('finalists').append(...trained.map(card));
else $('finalists-section').hidden = true;

// ---- the table ----

if (all.length) {
  const number = (title, key, show) => ({title, value: n => n[key], show});
  const columns = [
    {title: 'network', text: true, value: n => n.id, show: id => brief(id)},
    {title: '', text: true, value: n => n.finalist ? 'a' : n.onFront ? 'b' : null,
     show: (mark, n) => element('span', {className: n.finalist ? 'mark finalist' : 'mark', title: n.finalist ? 'finalist' : n.onFront ? 'on the front' : ''},
                                n.finalist ? '\u25b2' : n.onFront ? '\u25cf' : '')},
    {title: 'widths \u00d7 depths', text: true, value: n => shape(n.architecture), show: text => text},
    number('parameters', 'params', whole),
    number('MACs', 'macs', short),
    ...(hasLatency ? [number('latency, \u00b5s', 'latency_us', value => known(value) ? whole(Math.round(value)) : '\u2013')] : []),
    ...(predicts ? [number('predicted loss', 'predicted_loss', fixed(3)), number('predicted accuracy', 'predicted_accuracy', percent)] : []),
    number('score', 'score', fixed(4)),
    number('trained accuracy', 'trained_accuracy', percent),
    number('epochs', 'epochs', value => known(value) ? String(value) : '\u2013'),
    number('generation', 'generation', value => known(value) ? String(value) : '\u2013'),
    {title: 'parents', text: true, value: n => n.parents && n.parents.length ? n.parents.map(brief).join(' ') : null,
     show: text => element('span', {className: 'id'}, text || '\u2013')},
  ];
  columns[1].title = 'role';
  const filters = {
    all: ['all networks', () => true],
    front: ['the Pareto front', n => n.onFront],
    finalists: ['finalists', n => n.finalist],
    sample: ['the rank sample', n => n.sampled],
  };
  fillSelect('table-filter', Object.fromEntries(Object.entries(filters).filter(([, [, test]]) => all.some(test))));
  $('table-note').textContent = 'A header sorts, a network\u2019s name opens its drawing. \u25b2 finalist, \u25cf on the Pareto front.' +
    leftOut;
  const show = sortableTable($('table'), 'Every network', columns, columns.findIndex(c => c.title === 'score'), card);
  const choose = () => {
    const test = filters[$('table-filter').value][1], prefix = $('table-search').value.trim().toLowerCase();
    const rows = all.filter(n => test(n) && n.id.startsWith(prefix));
    $('table-count').textContent = `${whole(rows.length)} network${rows.length === 1 ? '' : 's'}`;
    show(rows);
  };
  $('table-filter').addEventListener('change', choose);
  $('table-search').addEventListener('input', choose);
  choose();
} else {
  $('table-section').hidden = true;
}

// ---- ranks ----

if (data.ranks) {
  const {until, ranks} = data.ranks;
  const name = i => `rank ${i}`;
  const share = rank => rank.seconds / until;
  const shares = ranks.map(share);
  const hosts = new Set(ranks.map(rank => rank.host));
  const bars = (label, spells, shade, alpha) => ({
    label, data: spells, grouped: false, barPercentage: 0.7, categoryPercentage: 1,
    backgroundColor: colour(shade, alpha), borderColor: colour(shade), borderWidth: alpha < 1 ? 1 : 0,
  });
  $('ranks').parentElement.style.height = `${Math.min(Math.max(6 + 1.5 * ranks.length, 9), 60)}rem`;
  chart('ranks', `${ranks.length} ranks on ${hosts.size} host${hosts.size === 1 ? '' : 's'} in ${duration(until)}: busy ` +
    `${percent(shares.reduce((sum, s) => sum + s, 0) / ranks.length)} of the time together, the least busy rank ` +
    `${percent(Math.min(...shares))}, the busiest ${percent(Math.max(...shares))}.`, () => ({
    type: 'bar',
    data: {labels: ranks.map((rank, i) => name(i)), datasets: [
      {...bars('busy', ranks.flatMap((rank, i) => rank.busy.map(spell => ({x: spell, y: name(i)}))), 'accent', 1), order: 1},
      {...bars('waiting', ranks.map((rank, i) => ({x: [0, until], y: name(i)})), 'faint', 0.15), order: 2},
    ]},
    options: {
      indexAxis: 'y',
      scales: {x: axis('seconds', {min: 0, max: until, ticks: {maxRotation: 0}}), y: {grid: {display: false}}},
      plugins: {legend: {position: 'bottom'}, tooltip: {callbacks: {
        label: ({dataset: {label}, raw: {x: [begin, end]}}) =>
          label === 'busy' ? `busy from ${duration(begin)} to ${duration(end)}` : `${duration(until)} in all`}}},
    },
  }));
  $('ranks-table').append(table([['rank'], ['host', true], ['busy'], ['waiting'], ['busy, share']],
    ranks.map((rank, i) => [i, rank.host, duration(rank.seconds), duration(until - rank.seconds), percent(share(rank))])));
} else {
  $('ranks-section').hidden = true;
}

// ---- settings ----

const hyperFacts = result.hypernetwork || {};
terms($('facts'), [
  ['version', `adwpnas ${data.version}`],
  ['device', device],
  ['data', data.data],
  ['space', result.space ? `${result.space.name}, ${String(result.space.size)} networks` : null],
  ['HyperNetwork', hyperFacts.parameters ? `${whole(hyperFacts.parameters)} parameters, ${whole(hyperFacts.images_seen)} images seen, ${duration(hyperFacts.seconds)}` : null],
  ['arena', result.arena ? `${short(result.arena.bytes)}B, ${short(result.arena.peak_bytes)}B in use at most` : null],
  ...phases.map(p => [phaseNames[p.name], `${duration(p.seconds)}${p.finished ? '' : ', not finished'}`]),
]);
