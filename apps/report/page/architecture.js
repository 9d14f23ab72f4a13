// Networks: from the packed form to JSON, to a line of text, to a drawing.

const blockKinds = ['dense', 'separable', 'inverted_residual', 'projection'];
const joins = ['none', 'add', 'concat'];

// What packed() of search_data.cpp wrote, as the JSON that `train --architecture` reads.
function unpack([stemWidth, stemStride, headWidth, activation, stages]) {
  return {
    version: 1,
    stem: {width: stemWidth, stride: stemStride},
    stages: stages.map(([width, stride, blocks]) => ({
      width, stride,
      blocks: blocks.map(([kind, kernel, expansion, squeezeExcite, residual, join, from, expandsInput]) => ({
        kind: blockKinds[kind], kernel, expansion, squeeze_excite: !!squeezeExcite, residual: !!residual,
        join: joins[join], from, ...(expandsInput ? {expands_input: true} : {}),
      })),
    })),
    head: {width: headWidth},
    activation,
  };
}

// Widths and depths: "16 · 24×3 · 48×1"
function shape(architecture) {
  return [architecture.stem.width, ...architecture.stages.map(s => `${s.width}\u00d7${s.blocks.length}`)].join(' \u00b7 ');
}

function blockText(block) {
  const kernel = `${block.kernel}\u00d7${block.kernel}`;
  if (block.kind !== 'inverted_residual') return `${block.kind} ${kernel}`;
  return `inverted ${kernel} e${block.expansion}${block.expands_input ? ' of input' : ''}${block.squeeze_excite ? ' SE' : ''}`;
}

// Boxes below each other, centred on an axis. `image`: pixels a side, or nothing; `classes`: likewise.
function drawing(architecture, image, classes) {
  const axis = 142, least = 150, most = 200, height = 23, gap = 20;
  const widest = Math.max(architecture.stem.width, architecture.head.width, ...architecture.stages.map(s => s.width));
  const parts = [];
  let y = 2, right = 0, size = image;

  const add = (tag, attributes, text) => {
    const part = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
    if (text !== undefined) part.textContent = text;
    parts.push(part);
    return part;
  };
  const halfOf = channels => (least + (most - least) * Math.min(1, channels / widest)) / 2;
  const box = (text, channels, kind) => {
    const made = {top: y, bottom: y + height, half: halfOf(channels || 0)};
    add('rect', {class: kind, x: axis - made.half, y, width: 2 * made.half, height, rx: 4});
    add('text', {x: axis - made.half + 7, y: y + 16}, text);
    if (channels) add('text', {x: axis + made.half - 7, y: y + 16, 'text-anchor': 'end'}, channels);
    y += height + gap;
    right = Math.max(right, axis + made.half);
    return made;
  };
  const arrow = (from, to) => add('path', {d: `M${axis} ${from.bottom}V${to.top}m-3 -4l3 4l3 -4`});
  // From the axis at y1 out to x, along to y2 and back; `side`: 1 where x lies on the left, else -1.
  const bracket = (y1, y2, x, side) => {
    const r = 6 * side;
    return `M${axis} ${y1}H${x + r}q${-r} 0 ${-r} 6V${y2 - 6}q0 6 ${r} 6H${axis}`;
  };
  const shrink = (stride, at) => {
    if (!size) return;
    size = Math.ceil(size / stride);
    add('text', {class: 'size', x: 0, y: at.top + 15}, `${size}\u00d7${size}`);
  };

  let last = box('stem 3\u00d73', architecture.stem.width, 'frame');
  shrink(architecture.stem.stride, last);
  for (const stage of architecture.stages) {
    const values = [last];  // as `from` counts them
    const lanes = [];       // how far down each lane on the right is taken
    const edge = axis + Math.max(last.half, halfOf(stage.width));
    stage.blocks.forEach((block, i) => {
      const before = values[i], made = box(blockText(block), stage.width, block.kind);
      values.push(made);
      if (i === 0) shrink(stage.stride, made);
      arrow(before, made);
      if (block.residual) {
        add('path', {class: 'residual', d: bracket(made.top - 6, made.bottom + 6, axis - made.half - 12, 1)});
      }
      if (block.join !== 'none') {
        const earlier = values[block.from];
        let lane = lanes.findIndex(end => end <= earlier.bottom);
        if (lane < 0) lane = lanes.length;
        lanes[lane] = made.top;
        const x = edge + 12 + 11 * lane;
        right = Math.max(right, x);
        add('path', {d: bracket(earlier.bottom + 4, made.top - 6, x, -1)});
        add('text', {class: 'join', x: axis + 7, y: made.top - 8}, block.join);
      }
    });
    last = values[values.length - 1];
  }
  const follow = made => {
    arrow(last, made);
    last = made;
  };
  if (architecture.head.width > 0) follow(box('head 1\u00d71', architecture.head.width, 'frame'));
  follow(box('pool, linear', classes, 'frame'));

  const picture = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const width = right + 6, bottom = y - gap + 2;
  for (const [name, value] of Object.entries({class: 'drawing', viewBox: `0 0 ${width} ${bottom}`, width, height: bottom,
                                              role: 'img', 'aria-label': inWords(architecture)})) {
    picture.setAttribute(name, value);
  }
  picture.append(...parts);
  return picture;
}

function inWords(architecture) {
  const stages = architecture.stages.map((stage, i) => {
    const blocks = stage.blocks.map(b => blockText(b) + (b.residual ? ' with residual' : '') +
                                         (b.join === 'none' ? '' : `, ${b.join} of value ${b.from}`));
    return `stage ${i + 1}, width ${stage.width}: ${blocks.join('; ')}`;
  });
  return `Network drawing: stem ${architecture.stem.width}; ${stages.join('; ')}`;
}
