"""The asyncio faces: the SCU and the server (PS3.7 9.1, PS3.8 9.2)."""
