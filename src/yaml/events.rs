//! Text -> events: the one file that knows the YAML parser crate.
//!
//! Takes a text, gives a stream of [`Event`]s with byte ranges. It stands apart so that another event parser can take
//! its place here alone. Two readers build on it: [`super`] (our strict documents) and [`crate::sops`] (documents with
//! sops' own typing rules).

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{ErrorKind, Event as Raw, Parser, ScalarStyle, StrInput};

use super::characters::{Refused, first_refused};

/// How a scalar was written; decides whether it may be anything but a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// A block scalar, `|` or `>`.
    Block,
}

/// An explicit tag, as resolved: `!!str` is `tag:yaml.org,2002:str`, `!x` is `!x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The resolved tag.
    pub name: String,
    /// The bytes of the tag as written.
    pub range: Range<usize>,
}

/// One step through a YAML text.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// A document begins.
    DocumentStart,
    /// A document ends.
    DocumentEnd,
    /// A scalar node. `anchor` is 0 where there is none.
    Scalar {
        /// The text after unescaping and folding.
        text: Cow<'a, str>,
        /// How it was written.
        style: Style,
        /// The explicit tag.
        tag: Option<Tag>,
        /// The id that an [`Event::Alias`] refers to, or 0.
        anchor: usize,
    },
    /// A list begins; its range is that of the opening indicator.
    SequenceStart {
        /// `[…]` rather than `- …`.
        flow: bool,
        /// The explicit tag.
        tag: Option<Tag>,
        /// The id that an [`Event::Alias`] refers to, or 0.
        anchor: usize,
    },
    /// A list ends. For a block list the range lies at the next token: take the end of the last child.
    SequenceEnd,
    /// A map begins.
    MappingStart {
        /// `{…}` rather than `key: …`.
        flow: bool,
        /// The explicit tag.
        tag: Option<Tag>,
        /// The id that an [`Event::Alias`] refers to, or 0.
        anchor: usize,
    },
    /// A map ends; see [`Event::SequenceEnd`].
    MappingEnd,
    /// `*name`, standing for the node with this anchor id.
    Alias(usize),
    /// A comment: everything after the `#`.
    Comment(Cow<'a, str>),
}

/// What kept the text from being YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxErrorKind {
    /// A character that no file may have, at the error's offset: see [`super::characters`].
    Refused(char),
    /// Nested deeper than the limit that was asked for.
    TooDeep,
    /// A tab where YAML wants spaces.
    Tab,
    /// `*name` without `&name` before it.
    UnknownAnchor,
    /// An opening bracket or quote that never closes.
    Unclosed,
    /// `a: b: c`, or a missing space, quote or indentation that reads like it.
    MappingNotAllowed,
    /// Anything else.
    Other,
}

/// The text is not YAML from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The kind, for a better message than the parser's.
    pub kind: SyntaxErrorKind,
    /// The parser's own words, without a position. They quote no more of the text than one character.
    pub message: String,
    /// Byte offset at which the parser gave up; at most the length of the text.
    pub offset: usize,
}

/// The events of a text. Ends after the first [`SyntaxError`].
pub struct Events<'a> {
    parser: Parser<'a, StrInput<'a>>,
    length: usize,
    /// A character that keeps the text from being read at all.
    refused: Option<Refused>,
    done: bool,
}

impl<'a> Events<'a> {
    /// Reads `text`, with collections nested at most `depth` deep. Comments come as events only if `comments`.
    pub fn new(text: &'a str, depth: usize, comments: bool) -> Self {
        let options = granit_parser::options! {
            emit_comments: comments,
            max_buffered_comment_events: 65_536,
            flow_nesting_limit: depth,
            block_nesting_limit: depth,
        };
        let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let refused = first_refused(&text[mark..]).map(|found| Refused { at: found.at + mark, ..found });
        Self { parser: Parser::new_from_str_with_options(text, options), length: text.len(), refused, done: false }
    }

    fn convert(&self, raw: Raw<'a>, span: &granit_parser::Span) -> Option<Event<'a>> {
        let tag = |tag: Option<Cow<'a, granit_parser::Tag>>| {
            tag.map(|tag| Tag {
                name: format!("{}{}", tag.handle(), tag.suffix()),
                range: span.tag_span().and_then(|s| s.byte_range()).unwrap_or_else(|| byte_range(span)),
            })
        };
        Some(match raw {
            Raw::DocumentStart(..) => Event::DocumentStart,
            Raw::DocumentEnd => Event::DocumentEnd,
            Raw::Alias(id) => Event::Alias(id),
            Raw::Comment(text, _) => Event::Comment(text),
            Raw::Scalar(text, style, anchor, t) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                // A missing value arrives as a plain `~` that covers no bytes.
                let missing = style == Style::Plain && span.byte_range().is_some_and(|r| r.is_empty());
                let text = if missing { Cow::Borrowed("") } else { text };
                Event::Scalar { text, style, tag: tag(t), anchor }
            }
            Raw::SequenceStart(style, anchor, t) => {
                Event::SequenceStart { flow: style == granit_parser::StructureStyle::Flow, tag: tag(t), anchor }
            }
            Raw::SequenceEnd => Event::SequenceEnd,
            Raw::MappingStart(style, anchor, t) => {
                Event::MappingStart { flow: style == granit_parser::StructureStyle::Flow, tag: tag(t), anchor }
            }
            Raw::MappingEnd => Event::MappingEnd,
            _ => return None,
        })
    }

    fn error(&self, error: &granit_parser::ScanError) -> SyntaxError {
        let kind = match error.kind() {
            ErrorKind::RecursionLimitExceeded => SyntaxErrorKind::TooDeep,
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar => SyntaxErrorKind::Tab,
            ErrorKind::UnknownAnchor => SyntaxErrorKind::UnknownAnchor,
            ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::UnclosedQuotedScalar
            | ErrorKind::UnexpectedEofFlowMapping
            | ErrorKind::UnexpectedEofFlowSequence
            | ErrorKind::UnexpectedEofImplicitFlowMapping => SyntaxErrorKind::Unclosed,
            ErrorKind::MappingValueNotAllowed | ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
                SyntaxErrorKind::MappingNotAllowed
            }
            _ => SyntaxErrorKind::Other,
        };
        let offset = error.marker().byte_offset().unwrap_or(self.length).min(self.length);
        SyntaxError { kind, message: error.kind().to_string(), offset }
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<(Event<'a>, Range<usize>), SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(Refused { at, character }) = self.refused.take() {
            self.done = true;
            let message = Refused::describe(character);
            return Some(Err(SyntaxError { kind: SyntaxErrorKind::Refused(character), message, offset: at }));
        }
        while !self.done {
            match self.parser.next_event()? {
                Ok((Raw::StreamEnd, _)) => self.done = true,
                Ok((raw, span)) => {
                    if let Some(event) = self.convert(raw, &span) {
                        return Some(Ok((event, byte_range(&span))));
                    }
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(self.error(&error)));
                }
            }
        }
        None
    }
}

fn byte_range(span: &granit_parser::Span) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}
