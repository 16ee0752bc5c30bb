"""The asyncio faces: a server of associations and an SCU (PS3.7 9.1, PS3.8 9.2)."""
