package clickuptest

var (
	companies = []string{"Harbour & Pine", "Northwind Cycles", "Blåfjell Outdoor", "Café Minuit", "Kestrel Robotics", "Ostara Foods", "Tidewater Press", "Zeitgeist Studio"}
	people    = []string{
		"Ada Moreau", "Björn Lindqvist", "Chidi Okafor", "Daniela Rossi", "Emeka Nwosu", "Fatima Zahra", "Goran Petrović", "Hana Sato",
		"Imran Qureshi", "Joanna Kowalska", "Kofi Mensah", "Lucía Fernández", "Mei Chen", "Noah O’Brien", "Olga Ivanova", "Priya Raman",
	}
	spaceNames  = []string{"Product", "Engineering", "Marketing", "Operations", "Customer Success", "Finance", "People", "Research", "Design", "Sales"}
	folderNames = []string{"Q1 Roadmap", "Web shop", "Mobile app", "Launch", "Infrastructure", "Onboarding", "Website relaunch", "Partners", "Compliance", "Content plan"}
	listNames   = []string{"Backlog", "Sprint 14", "Bugs", "Ideas", "Checklist", "In review", "Releases", "Requests", "Interviews", "Experiments", "Debt", "Archive 2024"}

	verbs = []string{
		"Fix", "Write", "Review", "Plan", "Measure", "Replace", "Document", "Remove", "Translate", "Test", "Automate", "Discuss", "Prepare", "Investigate",
		"Simplify", "Restore",
	}
	objects = []string{
		"the login redirect", "checkout totals", "the price list", "invoice e-mails", "the onboarding tour", "image uploads", "the \"Contact us\" form",
		"search results", "the release notes", "nightly exports", "the staging cluster", "customer interviews", "push notifications", "the cookie banner",
		"VAT rounding", "the style guide",
	}
	contexts = []string{
		"on Safari", "for returning customers", "before the launch", "in the German shop", "after the migration", "for accounts > 2 years old", "with slow connections",
		"in dark mode", "for the Q3 review", "behind the proxy", "for guests & partners", "(again) 🔁", "on tablets", "as agreed with Málaga", "for EU only", "",
	}
	sentences = []string{
		"Customers reported this twice last week, both times on a Monday morning.",
		"The total is right in the basket and wrong on the invoice; the difference is always one cent.",
		"We agreed to ship the smallest thing that helps and to look at the numbers after two weeks.",
		"Please attach a screenshot when you can reproduce it.",
		"The old behaviour was never documented, so nobody dares to change it.",
		"Legal has seen the text and wants the word “guarantee” removed.",
		"It works on my machine, but not behind the company's proxy.",
		"The supplier answers within a day, except in August.",
		"Numbers for the last quarter: 1,204 orders, 37 returns, 4 complaints.",
		"Nothing in the log, and the request never reaches the server.",
		"Ask Mei before touching the exports: accounting reads them at 06:00.",
		"This blocks the release. 🚧",
		"Estimates were made with the old price list & must be repeated.",
		"If we cannot fix the cause, we should at least say so in the message.",
		"See the décor guidelines: naïve defaults, no <b>bold</b> markup.",
		"Tested with Firefox, Chrome and the built-in browser of the till.",
	}
	remarks = []string{
		"Looks good to me.", "I can take this one tomorrow.", "Could you add the steps to reproduce?", "Same here, since the last update.",
		"Done ✅ — please have a look.", "Waiting for the supplier's answer.", "Let's talk about this in the stand-up.", "Reopened: it happens again with \"two\" discounts.",
		"Thanks!", "I moved the deadline by a week.", "The customer confirmed that it works now.", "What does <null> mean in the export?",
	}
	steps = []string{"Reproduce it", "Write a test", "Tell support", "Update the manual", "Ask for a review", "Deploy to staging", "Watch the dashboard"}
	tags  = []string{"bug", "customer", "urgent 🔥", "design", "back-end", "waiting", "quick win", "needs decision"}
	pages = []string{"Overview", "Goals", "Decisions", "Meeting notes", "How to release", "Glossary", "Contacts", "Open questions"}
	docs  = []string{"Handbook", "Launch plan", "Architecture", "Brand guide", "Incident report", "Interview notes", "Onboarding", "Price policy"}
)
