"""A site's documents, read as documents: what they state, what they name, what they ask for, what they decide.

Knows: headings, sentences, lists, tables, links and blocks of commands, and which of those a reader takes for a statement.
Refuses: to search a file for words: what stands in a comment is read by nobody, and a sentence may deny what its words name.
"""
