// What both reports share: the data, elements, numbers, charts, colours.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);

// An element with properties (`data-*` and `aria-*` as attributes) and children: nodes or texts.
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-') || name === 'role') made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

// ---- numbers; a missing one is a dash ----

const known = value => value !== null && value !== undefined;
const fixed = digits => value => known(value) ? value.toFixed(digits).replace('-', '\u2212') : '\u2013';
const percent = value => known(value) ? `${(100 * value).toFixed(1)} %` : '\u2013';
const whole = value => known(value) ? value.toLocaleString('en') : '\u2013';

// 232842 as 233 k
function short(value) {
  if (!known(value)) return '\u2013';
  for (const [unit, size] of [['G', 1e9], ['M', 1e6], ['k', 1e3]]) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))} ${unit}`;
  }
  return String(Number(value.toPrecision(3)));
}

function duration(seconds) {
  if (!known(seconds)) return '\u2013';
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = seconds / 60;
  return minutes < 90 ? `${minutes.toFixed(1)} min` : `${(minutes / 60).toFixed(1)} h`;
}

function microseconds(value) {
  return known(value) && value >= 1000 ? `${Number((value / 1000).toPrecision(3))} ms` : `${short(value)} \u00b5s`;
}

// ---- lists of terms ----

function terms(list, rows) {
  for (const [term, value, more] of rows) {
    if (!known(value)) continue;
    const description = element('dd', {}, String(value));
    if (more) description.append(element('small', {}, more));
    const pair = [element('dt', {}, term), description];
    list.append(...(list.className === 'figures' ? [element('div', {}, ...pair)] : pair));
  }
  return list;
}

function table(columns, rows) {  // columns: [title, is it text], rows: cells
  const kind = i => columns[i][1] ? 'text' : '';
  const head = element('tr', {}, ...columns.map(([title], i) => element('th', {scope: 'col', className: kind(i)}, title)));
  const body = rows.map(cells => element('tr', {}, ...cells.map((cell, i) => element('td', {className: kind(i)}, cell))));
  return element('table', {}, element('thead', {}, head), element('tbody', {}, ...body));
}

// ---- charts: drawn again whenever the colours change ----

const charts = [];

// A colour of style.css as it is now.
function colour(name, alpha = 1) {
  const probe = element('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return alpha === 1 ? found : Chart.helpers.color(found).alpha(alpha).rgbString();
}

// `configuration()` is what Chart.js takes; `text` is the chart in a sentence, for those who do not see it, and
// stands below it.
function chart(id, text, configuration) {
  $(id).setAttribute('aria-label', text);
  $(`${id}-text`).textContent = text;
  const entry = {
    draw() {
      if (entry.made) entry.made.destroy();
      entry.made = new Chart($(id), configuration());
    },
  };
  charts.push(entry);
  entry.draw();
  return entry;
}

const axis = (title, more = {}) =>
  ({title: {display: true, text: title}, grid: {color: colour('line')}, ...more});

// One curve: `points` [{x, y}].
const curve = (label, points, name, more = {}) => ({
  label, data: points, borderColor: colour(name), backgroundColor: colour(name), borderWidth: 2,
  pointRadius: points.length > 40 ? 0 : 2.5, tension: 0, ...more,
});

function setColours() {
  Chart.defaults.color = colour('muted');
  Chart.defaults.borderColor = colour('line');
}

Object.assign(Chart.defaults, {animation: false, maintainAspectRatio: false, responsive: true});
Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
Chart.defaults.plugins.legend.labels.usePointStyle = true;
Chart.defaults.plugins.legend.labels.boxHeight = 7;
setColours();

function redraw() {
  setColours();
  for (const entry of charts) entry.draw();
}

// ---- dark and light ----

const systemDark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme || (systemDark.matches ? 'dark' : 'light')) === 'dark';

function nameTheme() {
  $('theme').textContent = isDark() ? 'Light' : 'Dark';
  $('theme').setAttribute('aria-label', `Switch to ${isDark() ? 'light' : 'dark'} colours`);
}
$('theme').addEventListener('click', () => {
  document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
  nameTheme();
  redraw();
});
systemDark.addEventListener('change', () => {
  nameTheme();
  redraw();
});
nameTheme();

// ---- what both pages say of a run ----

const result = data.result || {};
const dataset = result.dataset;
const device = result.device || data.device;

function describeRun(phase) {
  $('about').textContent = [
    dataset ? `${dataset.name}: ${whole(dataset.train)} training and ${whole(dataset.validation)} validation images of ` +
              `${dataset.image[1]} \u00d7 ${dataset.image[0]} in ${whole(dataset.classes)} classes` : data.data,
    device, `adwpnas ${data.version}`,
  ].filter(Boolean).join(' \u00b7 ');
  if (!data.finished) {
    $('state').hidden = false;
    $('state').textContent = `This run is not finished: ${phase}. What there is stands here; \u201creport DIR\u201d writes ` +
                             'this page anew.';
  }
  $('config').textContent = data.config;
}
