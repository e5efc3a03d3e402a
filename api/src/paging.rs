//! `nextToken` and `maxResults`, the same for every list.

use serde::Deserialize;

use crate::error::ApiError;
use crate::input::Input;
use crate::pagination::{Page, PageRequest};
use crate::state::Context;

/// `nextToken` and `maxResults` of a list, and what its tokens are bound to.
#[derive(Debug)]
pub struct Paging<'a> {
    cx: Context<'a>,
    scope: Vec<String>,
    /// Which page is wanted.
    pub request: PageRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMembers {
    max_results: Option<u32>,
    #[serde(default)]
    next_token: String,
}

impl<'a> Paging<'a> {
    /// Reads both members. `scope` names the list and its filters; a token is good only with the same ones.
    pub fn read(
        cx: Context<'a>,
        input: &Input,
        scope: &[&str],
        limits: PageLimits,
    ) -> Result<Self, ApiError> {
        let PageMembers {
            max_results,
            next_token,
        } = input.read()?;
        let limit = max_results.unwrap_or(limits.default).min(limits.max);
        let mut paging = Self {
            cx,
            scope: [cx.account()]
                .iter()
                .chain(scope)
                .map(|&part| part.to_owned())
                .collect(),
            request: PageRequest { after: 0, limit },
        };
        // Clients send the empty string for the first page.
        if !next_token.is_empty() {
            paging.request.after = cx.store().page_key().open(&paging.scope(), &next_token)?;
        }
        Ok(paging)
    }

    /// The token for what comes after this page.
    pub fn next_token<T>(&self, page: &Page<T>) -> Option<String> {
        let key = self.cx.store().page_key();
        page.more_after
            .map(|cursor| key.seal(&self.scope(), cursor))
    }

    fn scope(&self) -> Vec<&str> {
        self.scope.iter().map(String::as_str).collect()
    }
}

/// Page sizes of a list.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// Without `maxResults`.
    pub default: u32,
    /// Largest `maxResults`.
    pub max: u32,
}
