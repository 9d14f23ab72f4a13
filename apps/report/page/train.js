// The report of a training: train.html, filled in.

const epochs = data.epochs || [];
const last = epochs[epochs.length - 1];
const test = data.test;
const network = data.network;

describeRun(last ? `${last.epoch} epochs are done` : 'no epoch is done');

terms($('figures'), [
  ['test accuracy', known(result.test_accuracy) ? `${(100 * result.test_accuracy).toFixed(2)} %` : null,
   (test ? `of ${whole(test.images)} images, read once` : '') +
   (result.test_flip ? `; ${(100 * result.test_flip.test_accuracy).toFixed(2)} % with test-time flip` : '') +
   (result.raw ? `; averaged weights, the raw ones ${(100 * result.raw.test_accuracy).toFixed(2)} %` : '')],
  ['validation accuracy', last ? percent(last.validation_accuracy) : null, last ? `after ${last.epoch} epochs` : ''],
  ['parameters', network ? short(network.params) : null],
  ['MACs', network ? short(network.macs) : null, 'an image'],
  ['training', known(result.seconds) ? duration(result.seconds) : null,
   result.images_per_second ? `${short(result.images_per_second)} images a second` : ''],
]);

// ---- curves ----

const points = key => epochs.map(e => ({x: e.epoch, y: e[key]}));
const averaged = Boolean(last && known(last.raw_validation_accuracy));  // then the other figures are of averages
const epochAxis = () => axis('epoch', {type: 'linear', ticks: {precision: 0}});
chart('loss', last ? `Training loss ${fixed(3)(epochs[0].loss)} in the first epoch, ${fixed(3)(last.loss)} in epoch ${last.epoch}; ` +
  `validation loss ${fixed(3)(last.validation_loss)}.` : 'No epoch is done yet.', () => ({
  type: 'line',
  data: {datasets: [curve('training', points('loss'), 'accent'), curve('validation', points('validation_loss'), 'second'),
                    ...(last && known(last.auxiliary_loss) ? [curve('training, auxiliary head', points('auxiliary_loss'), 'third')] : []),
                    ...(averaged ? [curve('validation, raw weights', points('raw_validation_loss'), 'muted')] : [])]},
  options: {scales: {x: epochAxis(), y: axis('cross-entropy, nats')}, plugins: {legend: {position: 'bottom'}}},
}));
const highest = epochs.reduce((best, e) => !best || e.validation_accuracy > best.validation_accuracy ? e : best, null);
chart('accuracy', last ? `${percent(epochs[0].validation_accuracy)} after the first epoch, ${percent(last.validation_accuracy)} after ` +
  `epoch ${last.epoch}; highest ${percent(highest.validation_accuracy)} after epoch ${highest.epoch}.` +
  (averaged ? ` Of averaged weights; the raw ones come to ${percent(last.raw_validation_accuracy)}.` : '') : 'No epoch is done yet.', () => ({
  type: 'line',
  data: {datasets: [curve(averaged ? 'averaged weights' : 'validation accuracy', points('validation_accuracy'), 'third'),
                    ...(averaged ? [curve('raw weights', points('raw_validation_accuracy'), 'muted')] : [])]},
  options: {scales: {x: epochAxis(), y: axis('accuracy')}, plugins: {legend: {display: averaged, position: 'bottom'}}},
}));
const rated = epochs.filter(e => known(e.learning_rate));
$('rate-section').hidden = rated.length === 0;
if (rated.length) {
  const top = Math.max(...rated.map(e => e.learning_rate));
  const stages = epochs.filter((e, i) => known(e.image_size) && e.image_size !== epochs[i - 1]?.image_size);  // where sizes begin
  chart('rate', `At the end of each epoch; at most ${top.toPrecision(3)}, ${rated[rated.length - 1].learning_rate.toPrecision(3)} at the last.` +
    (stages.length ? ` Images had ${stages.map(e => `${e.image_size} px from epoch ${e.epoch}`).join(', ')}.` : ''), () => ({
    type: 'line',
    data: {datasets: [curve('learning rate', points('learning_rate'), 'accent')]},
    options: {scales: {x: epochAxis(), y: axis('learning rate', {min: 0})}, plugins: {legend: {display: false}}},
  }));
}

// ---- the test split ----

const mostClasses = 30;  // beyond, a matrix of them is no longer read
const mostBars = 20;

// Per class: its images and the hits among them.
function byClass() {
  const classes = test.classes.map((name, i) => ({name, i, images: 0, hits: 0}));
  for (const [truth, predicted, count] of test.confusion) {
    classes[truth].images += count;
    if (truth === predicted) classes[truth].hits += count;
  }
  return classes;
}

function confusionMatrix(classes) {
  const counts = new Map(test.confusion.map(([truth, predicted, count]) => [`${truth},${predicted}`, count]));
  const head = element('tr', {}, element('th', {className: 'text'}, 'is \\ taken for'),
                       ...classes.map(c => element('th', {scope: 'col'}, c.name)));
  const rows = classes.map(c => element('tr', {}, element('th', {scope: 'row', className: 'text'}, c.name), ...classes.map(p => {
    const count = counts.get(`${c.i},${p.i}`) || 0;
    const cell = element('td', {className: c === p ? 'right' : '', title: `${c.name} taken for ${p.name}: ${count} of ${c.images}`},
                         element('span', {}, count || ''));
    // The colour of mistakes is stretched: a tenth of a class is much.
    cell.style.setProperty('--share', c.images ? (c === p ? 0.5 * count : Math.min(3 * count, c.images) * 0.6) / c.images : 0);
    return cell;
  })));
  return element('table', {className: 'confusion'}, element('thead', {}, head), element('tbody', {}, ...rows));
}

function worstPairs(classes, most) {
  const pairs = test.confusion.filter(([truth, predicted]) => truth !== predicted).sort((a, b) => b[2] - a[2]).slice(0, most);
  return table([['is', true], ['taken for', true], ['images'], ['share of the class']], pairs.map(([truth, predicted, count]) =>
    [classes[truth].name, classes[predicted].name, whole(count), percent(count / classes[truth].images)]));
}

if (test) {
  const classes = byClass();
  const few = classes.length <= mostClasses;
  const accuracy = c => c.hits / c.images;
  const ranked = classes.filter(c => c.images).sort((a, b) => accuracy(a) - accuracy(b));
  const shown = few ? [...ranked].reverse() : ranked.slice(0, mostBars);
  const [worst, easiest] = [ranked[0], ranked[ranked.length - 1]];
  chart('classes', `${easiest.name} is recognised best, ${percent(accuracy(easiest))}; ${worst.name} worst, ${percent(accuracy(worst))}.` +
    (few ? '' : ` Shown are the ${mostBars} worst of ${whole(classes.length)} classes.`), () => ({
    type: 'bar',
    data: {labels: shown.map(c => c.name), datasets: [{label: 'accuracy', data: shown.map(accuracy), backgroundColor: colour('accent', 0.75)}]},
    options: {
      indexAxis: 'y',
      scales: {x: axis('accuracy', {min: 0, max: 1}), y: {grid: {display: false}, ticks: {autoSkip: false}}},
      plugins: {legend: {display: false}, tooltip: {callbacks: {label: item => {
        const c = shown[item.dataIndex];
        return `${percent(accuracy(c))}: ${c.hits} of ${c.images}`;
      }}}},
    },
  }));
  $('confusion-note').textContent = few
    ? 'A row is what the images are, a column what the network took them for. The stronger the colour, the larger the share of the row; of mistakes it is stretched threefold.'
    : `The ${mostClasses} commonest mistakes; a matrix of ${whole(classes.length)} classes would not be read.`;
  $('confusion').append(few ? confusionMatrix(classes) : worstPairs(classes, mostClasses));
  $('mistakes').append(...test.mistakes.map(m => {
    const [truth, taken] = [test.classes[m.true], test.classes[m.predicted]];
    return element('figure', {}, element('img', {src: `data:image/png;base64,${m.picture}`, alt: `${truth}, taken for ${taken}`}),
                   element('figcaption', {}, element('b', {}, truth), ` taken for ${taken}, ${percent(m.probability)}`));
  }));
  $('mistakes-section').hidden = test.mistakes.length === 0;
} else {
  for (const part of ['classes', 'confusion', 'mistakes']) $(`${part}-section`).hidden = true;
}

// ---- the network, settings ----

if (network) {
  const {architecture} = network;
  $('network').append(element('div', {className: 'network'}, element('h3', {}, shape(architecture)),
                              element('p', {className: 'id muted'}, network.id),
                              drawing(architecture, network.image, network.classes)));
} else {
  $('network-section').hidden = true;
}

terms($('facts'), [
  ['version', `adwpnas ${data.version}`],
  ['device', device],
  ['data', data.data],
  ['network', network ? `${network.id}: ${whole(network.params)} parameters, ${whole(network.macs)} multiply\u2013accumulates` : null],
  ['arena', result.arena ? `${short(result.arena.bytes)}B, ${short(result.arena.peak_bytes)}B in use at most` : null],
]);
