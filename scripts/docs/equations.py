"""A Markdown extension: $...$ and $$...$$ outside of code become MathML, which browsers draw without scripts."""
from latex2mathml.converter import convert
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor


class Equation(InlineProcessor):
    def __init__(self, pattern, md, display):
        super().__init__(pattern, md)
        self.display = display

    def handleMatch(self, match, data):
        mathml = convert(match[1], display=self.display)
        html = f'<span class="equation">{mathml}</span>' if self.display == "block" else mathml
        return self.md.htmlStash.store(html), match.start(0), match.end(0)


class Equations(Extension):
    def extendMarkdown(self, md):
        # Behind code (190), before backslashes (180).
        md.inlinePatterns.register(Equation(r"\$\$((?:.|\n)+?)\$\$", md, "block"), "display_equation", 186)
        md.inlinePatterns.register(Equation(r"\$(?=\S)([^$]+?)(?<=\S)\$(?![\w$])", md, "inline"), "equation", 185)


def makeExtension(**options):
    return Equations(**options)
