//! What a User-Agent header tells of a participant's browser and operating system. Pure text.

use stage_gateway::history::ClientAttributes;

/// Longest value of the API's client attributes.
const CHARS_MAX: usize = 128;

/// Product tokens and what they are called. The first that is there wins: derived browsers name their ancestors too.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg", "Edge"),
    ("EdgA", "Edge"),
    ("EdgiOS", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("HeadlessChrome", "Chrome Headless"),
    ("Chrome", "Chrome"),
    // Safari's own version, which only Safari tells so.
    ("Version", "Safari"),
    ("Safari", "Safari"),
];

/// How operating systems are named in the comment; what follows is the version.
const SYSTEMS: [(&str, &str); 8] = [
    ("Windows NT ", "Windows"),
    ("Android ", "Android"),
    ("CPU iPhone OS ", "iOS"),
    ("CPU OS ", "iOS"),
    ("Intel Mac OS X ", "macOS"),
    ("Mac OS X ", "macOS"),
    ("CrOS ", "Chrome OS"),
    ("Linux", "Linux"),
];

/// Reads the header. A program that is no browser is known by its first product, such as `OBS-Studio/31.0`.
pub(super) fn client_attributes(user_agent: &str) -> ClientAttributes {
    let comment = user_agent
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(comment, _)| comment);
    let products: Vec<(&str, &str)> = user_agent
        .split(' ')
        .filter_map(|word| word.split_once('/'))
        .collect();
    let version_of = |token| products.iter().find(|(name, _)| *name == token);
    let browser = BROWSERS
        .iter()
        .find_map(|(token, name)| version_of(*token).map(|(_, version)| (*name, *version)));
    let (browser_name, browser_version) = browser
        .or_else(|| products.first().copied())
        .unwrap_or_default();
    let (os_name, os_version) = SYSTEMS
        .iter()
        .find_map(|(token, name)| {
            let (_, rest) = comment.split_once(token)?;
            let version = rest.split([';', ' ', ')']).next().unwrap_or_default();
            Some((*name, version))
        })
        .unwrap_or_default();
    ClientAttributes {
        browser_name: fitting(browser_name),
        browser_version: fitting(browser_version),
        os_name: fitting(os_name),
        os_version: fitting(&os_version.replace('_', ".")),
    }
}

/// Without what the API's pattern `[a-zA-Z0-9-_.,:;\s]*` does not allow.
fn fitting(value: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "-_.,:; ".contains(*c);
    value.chars().filter(fits).take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(user_agent: &str) -> [String; 4] {
        let client = client_attributes(user_agent);
        [
            client.browser_name,
            client.browser_version,
            client.os_name,
            client.os_version,
        ]
    }

    #[test]
    fn browsers_and_systems_are_told_apart() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let table = [
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/141.0.0.0 Safari/537.36"),
                ["Chrome", "141.0.0.0", "Windows", "10.0"],
            ),
            (
                format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} HeadlessChrome/140.0.7339.16 Safari/537.36"),
                ["Chrome Headless", "140.0.7339.16", "Linux", ""],
            ),
            (
                format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.3537.57"),
                ["Edge", "141.0.3537.57", "Windows", "10.0"],
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15".to_owned(),
                ["Safari", "17.4", "macOS", "10.15.7"],
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1".to_owned(),
                ["Safari", "17.4", "iOS", "17.4"],
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 14; Pixel 8) {webkit} Chrome/141.0.0.0 Mobile Safari/537.36"),
                ["Chrome", "141.0.0.0", "Android", "14"],
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0".to_owned(),
                ["Firefox", "143.0", "Linux", ""],
            ),
            (
                "OBS-Studio/31.0.2 (linux; x86_64)".to_owned(),
                ["OBS-Studio", "31.0.2", "", ""],
            ),
            ("python-requests/2.32.5".to_owned(), ["python-requests", "2.32.5", "", ""]),
            (String::new(), ["", "", "", ""]),
        ];
        for (user_agent, expected) in table {
            assert_eq!(read(&user_agent), expected, "{user_agent}");
        }
    }

    #[test]
    fn hostile_headers_become_allowed_values() {
        let long = format!("<b>é{}/\u{1f600}1\"", "x".repeat(500));
        let [name, version, ..] = read(&long);
        assert!(name.starts_with("bx") && name.len() == CHARS_MAX);
        assert_eq!(version, "1");
        for odd in [
            "(",
            ")(",
            "/",
            "Chrome/",
            "Mozilla/5.0 (Android ",
            "Mac OS X ;(",
        ] {
            read(odd);
        }
    }
}
