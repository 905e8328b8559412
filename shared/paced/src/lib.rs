//! An attribute that removes `async` and `.await` from a function.
//!
//! The Worker divides its work into steps by futures. The browser package needs no steps shorter than decode, resize and
//! encode, and its code with futures is a tenth larger. With the attribute both are built from the same source.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Makes an `async fn` a `fn` that does not pause. Blocks that are `async` are not supported, because `?` would leave the
/// function and not the block.
#[proc_macro_attribute]
pub fn without_pauses(_: TokenStream, function: TokenStream) -> TokenStream {
    stripped(function)
}

fn stripped(tokens: TokenStream) -> TokenStream {
    let mut out: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word.to_string() == "async" => {}
            TokenTree::Ident(word) if word.to_string() == "await" => drop(out.pop()),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), stripped(group.stream()));
                if group.delimiter() != Delimiter::None {
                    inner.set_span(group.span());
                }
                out.push(inner.into());
            }
            other => out.push(other),
        }
    }
    out.into_iter().collect()
}
