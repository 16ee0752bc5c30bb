"""What a C-FIND identifier means, apart from any database (PS3.4 C.2.2, C.4.1)."""
