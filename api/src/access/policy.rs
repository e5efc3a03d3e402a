//! Patterns of actions and resources, as IAM policies write them: `*` is any text, `?` any character.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

/// Text with wildcards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(String);

/// Every action that matches, on every resource that matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// `ivs:Get*`.
    pub actions: Vec<Pattern>,
    /// `arn:aws:ivs:*:*:stage/*`.
    pub resources: Vec<Pattern>,
}

/// What is allowed; everything else is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// One that matches is enough.
    pub statements: Vec<Statement>,
}

impl Pattern {
    /// Any text is a pattern.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether the whole of `text` matches. Takes time of at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where to go on when what follows the last star does not fit: one more character for the star.
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    retry = Some((p, t));
                    p += 1;
                }
                Some(&c) if c == b'?' || c == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => {
                    let Some((star, taken)) = retry else {
                        return false;
                    };
                    retry = Some((star, taken + 1));
                    (p, t) = (star + 1, taken + 1);
                }
            }
        }
        pattern[p..].iter().all(|&c| c == b'*')
    }
}

impl Policy {
    /// Everything.
    pub fn everything() -> Self {
        let any = || vec![Pattern::new("*")];
        Self {
            statements: vec![Statement {
                actions: any(),
                resources: any(),
            }],
        }
    }

    /// Whether `action` on `resource` is allowed.
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        let matches = |patterns: &[Pattern], text| patterns.iter().any(|p| p.matches(text));
        self.statements.iter().any(|statement| {
            matches(&statement.actions, action) && matches(&statement.resources, resource)
        })
    }
}
