"""Is everything here that the main job needs, and is a world as the contract wants it?"""
